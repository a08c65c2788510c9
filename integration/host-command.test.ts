/** `postern host` as a program: its log, its signals, and real `ssh` as the client. */
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  allocatedPort,
  echoTarget,
  freePort,
  type KeyPair,
  launch,
  makeKey,
  missing,
  type Running,
  run,
  runSsh,
  type SshServer,
  tempDir,
} from "./harness/index.ts";

const program = join(import.meta.dirname, "../packages/cli/dist/postern.js");
const dir = tempDir("host-command");
const user = userInfo().username;
const started: Running[] = [];
let hostKey: KeyPair;
let key: KeyPair;
let port: number;

beforeAll(async () => {
  [hostKey, key] = await Promise.all([makeKey("ed25519", dir.file("host_key")), makeKey("ed25519", dir.file("key"))]);
  writeFileSync(dir.file(`keys_${user}`), `${key.publicLine}\n`);
  port = await freePort();
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((one) => one.stop()));
});
afterAll(() => dir.remove());

/** Writes a configuration of sshd. Returns its file. */
function configure(...lines: readonly string[]): string {
  const file = dir.file("sshd_config");
  const base = [
    `Port ${port}`,
    "ListenAddress 127.0.0.1",
    "StrictModes no",
    "UsePAM yes",
    `PidFile ${dir.file("pid")}`,
  ];
  const keys = [`HostKey ${hostKey.file}`, `AuthorizedKeysFile ${dir.file("keys_%u")}`];
  writeFileSync(file, [...base, ...keys, ...lines, ""].join("\n"));
  return file;
}

async function start(...args: readonly string[]): Promise<Running> {
  const host = await launch("node", [program, "host", ...args]);
  started.push(host);
  return host;
}

function server(): SshServer {
  return { port, user, hostKeys: { ed25519: hostKey } };
}

async function connect(args: readonly string[], command: readonly string[] = []): Promise<Running> {
  const ssh = await runSsh(args, { server: server(), identity: key, command });
  started.push(ssh);
  return ssh;
}

function ask(to: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ port: to, host: "127.0.0.1" }, () => socket.end(text));
    let answer = "";
    socket.on("data", (chunk) => {
      answer += String(chunk);
    });
    socket.on("close", () => resolve(answer)).on("error", reject);
  });
}

const log = (): string => readFileSync(dir.file("log"), "utf8");

function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return text === "" ? [] : text.split(" ").map(Number);
}

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; !holds(); i++) {
    if (i === 400) throw new Error("expected a change within 10 s, got none");
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

describe.skipIf(missing("ssh") !== undefined)("postern host -f", () => {
  it("runs in the background, logs in the words of sshd, reloads on SIGHUP, and ends on SIGTERM", async () => {
    rmSync(dir.file("log"), { force: true });
    await run("node", [program, "host", "-f", configure("LogLevel VERBOSE"), "-E", dir.file("log")]);
    const pid = Number(readFileSync(dir.file("pid"), "utf8"));
    try {
      expect(log()).toContain(`Server listening on 127.0.0.1 port ${port}.`);
      const target = await echoTarget();
      const [remote, local] = [await freePort(), await freePort()];
      const forwards = ["-N", "-R", `${remote}:127.0.0.1:${target.port}`, "-L", `${local}:127.0.0.1:${target.port}`];
      const ssh = await connect(forwards);
      await ssh.stderr.waitFor(/remote forward success/);
      expect(await Promise.all([ask(remote, "there"), ask(local, "and back")])).toEqual(["there", "and back"]);

      configure("LogLevel VERBOSE", "AllowTcpForwarding no", "DenyUsers nobody");
      rmSync(dir.file("pid"));
      process.kill(pid, "SIGHUP");
      await until(() => existsSync(dir.file("pid")));
      // The forwarding of the first client stays.
      expect(await ask(remote, "again")).toBe("again");
      const denied = await connect(["-N", "-R", "0:127.0.0.1:1"]);
      expect(await denied.exited).toBe(255);
      configure("Foo bar");
      process.kill(pid, "SIGHUP");
      await until(() => log().includes("The configuration stays as it was"));
      expect(await ask(remote, "still")).toBe("still");
      await ssh.stop();
      await target.stop();
    } finally {
      process.kill(pid, "SIGTERM");
    }
    await until(() => !existsSync(dir.file("pid")) && log().includes("terminating"));
    const shown = log()
      .replaceAll("\r", "")
      .replaceAll(/port \d+/g, "port N");
    for (const line of [
      "Connection from 127.0.0.1 port N on 127.0.0.1 port N",
      `Accepted publickey for ${user} from 127.0.0.1 port N ssh2: ED25519 ${key.fingerprint}`,
      "Received SIGHUP; restarting.",
      "Bad configuration option: Foo",
      "Received signal 15; terminating.",
    ])
      expect(shown).toContain(line);
  });

  it("serves clients in worker processes (--workers), which take only their own clients with them", async () => {
    const host = await start("-D", "-e", "--workers", "2", "-f", configure());
    await host.stderr.waitFor(/Server listening/);
    const target = await echoTarget();
    const clients: [Running, number][] = [];
    for (let number = 0; number < 2; number++) {
      const ssh = await connect(["-N", "-R", `0:127.0.0.1:${target.port}`]);
      clients.push([ssh, await allocatedPort(ssh)]);
    }
    const workers = childrenOf(host.pid);
    expect(workers).toHaveLength(2);
    process.kill(host.pid, "SIGHUP");
    await host.stderr.waitFor(/Received SIGHUP; restarting/);
    expect(await Promise.all(clients.map(([, remote]) => ask(remote, "there")))).toEqual(["there", "there"]);
    // The first client is that of the first worker.
    process.kill(workers[0] as number, "SIGKILL");
    await host.stderr.waitFor(/A worker process ended: SIGKILL\. Its clients are disconnected\./);
    expect(await clients[0]?.[0].exited).toBe(255);
    expect(await ask(clients[1]?.[1] ?? 0, "still")).toBe("still");
    await until(() => childrenOf(host.pid).length === 2);
    const last = childrenOf(host.pid);
    process.kill(host.pid, "SIGTERM");
    expect(await host.exited).toBe(0);
    await until(() => !last.some((pid) => existsSync(`/proc/${pid}`)));
    await target.stop();
  });

  it("refuses users and keys as sshd does, and says why in its log", async () => {
    const host = await start("-D", "-e", "-f", configure("LogLevel VERBOSE", `DenyUsers ${user}`));
    await host.stderr.waitFor(/Server listening/);
    const ssh = await connect(["-N"]);
    expect(await ssh.exited).toBe(255);
    expect(ssh.stderr.text()).toContain("Permission denied (publickey)");
    await host.stderr.waitFor(new RegExp(`User ${user} from 127.0.0.1 not allowed because listed in DenyUsers`));
    await host.stderr.waitFor(
      new RegExp(`Failed publickey for invalid user ${user} from 127.0.0.1 port \\d+ ssh2: ED25519 SHA256:`),
    );
    await host.stderr.waitFor(
      new RegExp(`Connection closed by invalid user ${user} 127.0.0.1 port \\d+ \\[preauth\\]`),
    );
    const stranger = await runSsh(["-N"], { server: { ...server(), user: "no-such-user" }, identity: key });
    expect(await stranger.exited).toBe(255);
    await host.stderr.waitFor(/Invalid user no-such-user from 127\.0\.0\.1 port \d+/);
  });

  it("says that no port could be opened, and exits with 255", async () => {
    const first = await start("-D", "-e", "-f", configure());
    await first.stderr.waitFor(/Server listening/);
    const second = await start("-D", "-e", "-f", configure("PidFile none"));
    expect(await second.exited).toBe(255);
    expect(second.stderr.text()).toContain(`Bind to port ${port} on 127.0.0.1 failed: Address already in use.`);
    expect(second.stderr.text()).toContain("Cannot bind any address.");
  });

  it("serves standard input and output with -i", async () => {
    const config = configure("LogLevel DEBUG3");
    const proxy = `node ${program} host -i -f ${config} -E ${dir.file("inetd.log")}`;
    const ssh = await runSsh([], {
      server: server(),
      identity: key,
      config: { ProxyCommand: proxy },
      command: ["true"],
    });
    // A host runs no command, and ends the session with status 1.
    expect(await ssh.exited).toBe(1);
    expect(ssh.stdout.text()).toContain("this server only forwards ports");
    expect(readFileSync(dir.file("inetd.log"), "utf8")).toContain(
      `Accepted publickey for ${user} from UNKNOWN port 65535 ssh2`,
    );
    const mismatch = await launch("node", [program, "host", "-i", "-f", config], { input: "SSH-1.5-HALLO\n" });
    expect(await mismatch.exited).toBe(255);
    expect(mismatch.stdout.text()).toMatch(/^SSH-2\.0-Postern_/);
  });
});

describe("postern host --config", () => {
  it("begins with init, which overwrites nothing, and serves users, health and metrics", async () => {
    const folder = dir.file("json");
    const printed = await run("node", [program, "host", "init", "--folder", folder]);
    expect(printed).toMatch(/The fingerprint of the host key, which clients compare: SHA256:/);
    expect(statSync(join(folder, "host_ed25519")).mode & 0o777).toBe(0o600);
    const again = await start("init", "--folder", folder);
    expect(await again.exited).toBe(1);
    expect(again.stderr.text()).toContain("exists, and nothing was written");

    const file = join(folder, "host.json");
    const [own, health] = [await freePort(), await freePort()];
    const text = readFileSync(file, "utf8").replace(
      '"listen": ["2222"]',
      `"health": "127.0.0.1:${health}", "listen": ["127.0.0.1:${own}"]`,
    );
    writeFileSync(file, text.replace('"keys": []', `"keys": ["${key.publicLine}"]`));
    await run("node", [program, "host", "-t", "--config", file]);
    const host = await start("--config", file);
    await host.stderr.waitFor(/Server listening/);
    const [, fingerprint] = /compare: (SHA256:\S+)/.exec(printed) ?? [];
    const scanned = await run("ssh-keyscan", ["-p", String(own), "-t", "ed25519", "127.0.0.1"]);
    writeFileSync(dir.file("scanned"), scanned);
    expect(await run("ssh-keygen", ["-l", "-f", dir.file("scanned")])).toContain(fingerprint);
    const answer = await fetch(`http://127.0.0.1:${health}/health`);
    expect(await answer.json()).toMatchObject({ state: "open" });
    expect(await (await fetch(`http://127.0.0.1:${health}/metrics`)).text()).toContain(
      "postern_host_connections_total",
    );
    process.kill(host.pid, "SIGINT");
    expect(await host.exited).toBe(0);
  });

  it("prints a hash of a password, and takes none as an argument", async () => {
    const hash = await launch("node", [program, "host", "hash"], { input: "secret\n" });
    expect(await hash.exited).toBe(0);
    expect(hash.stdout.text()).toMatch(/^\$scrypt\$/);
    const wrong = await start("hash", "secret");
    expect(await wrong.exited).toBe(1);
  });
});
