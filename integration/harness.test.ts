/** Tests the harness with OpenSSH and dropbear against each other. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  allocatedPort,
  deafTarget,
  echoTarget,
  exchange,
  halfCloseTarget,
  hashSink,
  httpTarget,
  isListening,
  type KeyPair,
  type KeyType,
  makeKey,
  missing,
  patternChunks,
  patternHash,
  patternSource,
  refusingPort,
  resettingTarget,
  runSsh,
  type SshServer,
  startDropbear,
  startSshd,
  type TempDir,
  tempDir,
  visit,
} from "./harness/index.ts";

describe("targets and visitors", () => {
  it("answer as echo, hash, source, half-close and web targets", async () => {
    const size = 1_000_000;
    const echo = await echoTarget();
    expect((await exchange(echo.port, "hello")).toString()).toBe("hello");
    expect(echo.accepted).toBe(1);

    const sink = await hashSink();
    const sender = await visit(sink.port);
    await sender.sendAll(patternChunks(size, 7));
    sender.end();
    expect(await sink.next()).toEqual({ bytes: size, sha256: patternHash(size, 7) });

    const source = await patternSource(size, 9);
    const reader = await visit(source.port);
    expect(await reader.hashAll()).toEqual({ bytes: size, sha256: patternHash(size, 9) });
    reader.end();

    const half = await halfCloseTarget();
    const visitor = await visit(half.port);
    await visitor.sendAll(patternChunks(size, 3));
    visitor.end();
    expect((await visitor.readAll()).toString()).toBe(patternHash(size, 3));

    const web = await httpTarget("a page\n");
    expect(await (await fetch(`http://127.0.0.1:${web.port}/`)).text()).toBe("a page\n");
    await Promise.all([echo, sink, source, half, web].map((one) => one.stop()));
    expect(isListening(echo.port)).toBe(false);
  });

  it("read by size, and reject at an early end", async () => {
    const source = await patternSource(10);
    const visitor = await visit(source.port);
    expect(await visitor.read(4)).toHaveLength(4);
    await expect(visitor.read(100)).rejects.toThrow(/expected 100 bytes/);
    visitor.reset();
    await source.stop();
  });

  it("refuse, reset and stay silent as faulty targets", async () => {
    await expect(visit(await refusingPort())).rejects.toMatchObject({ code: "ECONNREFUSED" });
    const resetting = await resettingTarget("data");
    const visitor = await visit(resetting.port);
    await visitor.send("x");
    await expect(visitor.readAll()).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(await visitor.closed).toBe("ECONNRESET");

    const deaf = await deafTarget();
    const shouter = await visit(deaf.port);
    const stuck = shouter.sendAll(patternChunks(64 * 1024 * 1024)).then(
      () => "sent",
      () => "broken",
    );
    expect(await Promise.race([stuck, new Promise((resolve) => setTimeout(() => resolve("stuck"), 300))])).toBe(
      "stuck",
    );
    await Promise.all([resetting.stop(), deaf.stop()]);
    expect(await stuck).toBe("broken");
  });
});

describe.skipIf(missing("sshd", "ssh"))("OpenSSH with OpenSSH", () => {
  const types: KeyType[] = ["ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa2048", "rsa3072"];
  const keys: KeyPair[] = [];
  let dir: TempDir;
  beforeAll(async () => {
    dir = tempDir();
    for (const type of types) keys.push(await makeKey(type, dir.file(type)));
  });
  afterAll(() => dir.remove());

  it("logs in with each key type, and offers each host key type", async () => {
    const sshd = await startSshd({
      authorizedKeys: keys.map((key) => key.publicLine),
      hostKeyTypes: ["ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa2048"],
    });
    expect(sshd.fingerprint("rsa2048")).toMatch(/^SHA256:[\w+/]{43}$/);
    const hostAlgorithms = [
      "ssh-ed25519",
      "ecdsa-sha2-nistp384",
      "rsa-sha2-512",
      "ecdsa-sha2-nistp521",
      "rsa-sha2-256",
    ];
    for (const [index, identity] of keys.entries()) {
      const HostKeyAlgorithms = hostAlgorithms[index % hostAlgorithms.length]!;
      const ssh = await runSsh([], { server: sshd, identity, config: { HostKeyAlgorithms }, command: ["id", "-un"] });
      expect(await ssh.exited, ssh.stderr.text()).toBe(0);
      expect(ssh.stdout.text().trim()).toBe(sshd.user);
      expect(ssh.stderr.text()).toContain(`host key algorithm: ${HostKeyAlgorithms}`);
      await ssh.stop();
    }
    await sshd.stop();
  });

  it("carries a visitor to a target through ssh -R, with a half-close", async () => {
    const [identity] = keys;
    const sshd = await startSshd({ authorizedKeys: [identity!.publicLine] });
    const [echo, half] = [await echoTarget(), await halfCloseTarget()];
    const ssh = await runSsh(["-N", "-R", `127.0.0.1:0:127.0.0.1:${echo.port}`], { server: sshd, identity: identity! });
    const port = await allocatedPort(ssh);
    expect((await exchange(port, "through the door")).toString()).toBe("through the door");
    await ssh.stop();
    expect(ssh.stderr.text()).toContain(sshd.fingerprint());

    const again = await runSsh(["-N", "-R", `127.0.0.1:0:127.0.0.1:${half.port}`], {
      server: sshd,
      identity: identity!,
    });
    expect((await exchange(await allocatedPort(again), "abc")).toString()).toMatch(/^ba7816bf/);
    sshd.dropConnections();
    expect(await again.exited).toBe(255);
    expect(isListening(sshd.port)).toBe(true);
    await Promise.all([again.stop(), echo.stop(), half.stop()]);
    await expectGone(sshd);
  });

  it("uses the configuration of the test", async () => {
    const [identity] = keys;
    const sshd = await startSshd({
      authorizedKeys: [identity!.publicLine],
      config: {
        Ciphers: "aes256-gcm@openssh.com",
        PermitListen: ["127.0.0.1:4242", "localhost:4243"],
        logLevel: "DEBUG1",
      },
    });
    const ssh = await runSsh(["-N", "-R", "127.0.0.1:0:127.0.0.1:1"], { server: sshd, identity: identity! });
    expect(await ssh.exited).toBe(255);
    expect(ssh.stderr.text()).toContain("cipher: aes256-gcm@openssh.com");
    expect(ssh.stderr.text()).toContain("remote port forwarding failed");
    await sshd.logged(/debug1: /);
    await sshd.stop();
  });

  it("rejects an unknown key, and an unknown host key", async () => {
    const [known, unknown] = keys;
    const sshd = await startSshd({ authorizedKeys: [known!.publicLine] });
    const denied = await runSsh(["-N"], { server: sshd, identity: unknown! });
    expect(await denied.exited).toBe(255);
    expect(denied.stderr.text()).toContain("Permission denied (publickey)");
    const wrong: SshServer = { ...sshd, hostKeys: { ed25519: unknown! } };
    const refused = await runSsh(["-N"], { server: wrong, identity: known! });
    expect(await refused.exited).toBe(255);
    expect(refused.stderr.text()).toContain("Host key verification failed");
    await sshd.stop();
  });

  it.skipIf(missing("password"))(
    "logs in by password and by keyboard-interactive, and does not change the machine's accounts",
    async () => {
      const before = accounts();
      const sshd = await startSshd({ password: true, config: { UsePAM: "yes", KbdInteractiveAuthentication: "yes" } });
      for (const PreferredAuthentications of ["password", "keyboard-interactive"]) {
        const right = await runSsh([], {
          server: sshd,
          password: sshd.password!,
          config: { PreferredAuthentications },
          command: ["id -un; pwd"],
        });
        expect(await right.exited, right.stderr.text() + sshd.log()).toBe(0);
        expect(right.stdout.text()).toBe("postern\n/run/home\n");
        expect(right.stderr.text()).toContain(`using "${PreferredAuthentications}"`);
      }
      const wrong = await runSsh(["-N"], { server: sshd, password: "no" });
      expect(await wrong.exited).toBe(255);
      expect(wrong.stderr.text()).toContain("Permission denied");
      await expectGone(sshd);

      const plain = await startSshd({ password: "open sesame" });
      const ssh = await runSsh([], { server: plain, password: "open sesame", command: ["true"] });
      expect(await ssh.exited, ssh.stderr.text()).toBe(0);
      await plain.stop();
      expect(accounts()).toEqual(before);
    },
  );
});

describe.skipIf(missing("dropbear", "ssh"))("OpenSSH's ssh with dropbear", () => {
  it("forwards with a key, and logs in by password", async () => {
    const dir = tempDir();
    const identity = await makeKey("ed25519", dir.file("key"));
    const dropbear = await startDropbear({
      authorizedKeys: [identity.publicLine],
      hostKeyTypes: ["ed25519", "ecdsa256", "rsa2048"],
      password: true,
    });
    const echo = await echoTarget();
    const port = await refusingPort();
    const ssh = await runSsh(["-N", "-R", `127.0.0.1:${port}:127.0.0.1:${echo.port}`], { server: dropbear, identity });
    await ssh.stderr.waitFor(/remote forward success/);
    expect((await exchange(port, "through dropbear")).toString()).toBe("through dropbear");
    for (const HostKeyAlgorithms of ["ecdsa-sha2-nistp256", "rsa-sha2-256"]) {
      const word = await runSsh([], {
        server: dropbear,
        password: dropbear.password!,
        config: { HostKeyAlgorithms },
        command: ["id", "-un"],
      });
      expect(await word.exited, word.stderr.text() + dropbear.log()).toBe(0);
      expect(word.stdout.text()).toBe("postern\n");
    }
    await dropbear.logged(/Pubkey auth succeeded/);
    await echo.stop();
    await expectGone(dropbear);
    expect(await ssh.exited).toBe(255);
    dir.remove();
  });
});

/** Stops the server while a client may be connected. None of its processes may be left. */
async function expectGone(server: SshServer & { readonly dir: string; stop(): Promise<void> }): Promise<void> {
  await server.stop();
  expect(isListening(server.port)).toBe(false);
  expect(existsSync(server.dir)).toBe(false);
  const left = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && commandLine(pid).includes(server.dir));
  expect(left).toEqual([]);
}

/** Returns values that change with the accounts of the machine. */
function accounts(): number[] {
  return ["/etc/passwd", "/etc/shadow"].flatMap((file) => [statSync(file).mtimeMs, statSync(file).ino]);
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}
