/** `postern up` with OpenSSH's sshd: keys, an alias of ssh_config, servers that restart, hang and do not answer. */
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  echoTarget,
  exchange,
  freePort,
  launch,
  makeKey,
  missing,
  type Running,
  run,
  type Sshd,
  startSshd,
  type Target,
  tempDir,
} from "./harness/index.ts";

const program = fileURLToPath(new URL("../packages/cli/dist/postern.js", import.meta.url));

describe.skipIf(missing("sshd"))("postern up with sshd", () => {
  const dir = tempDir("postern-many-tunnels");
  const file = dir.file("postern.json");
  let sshd: Sshd;
  let target: Target;
  let up: Running;
  let ports: readonly number[] = [];

  const start = () =>
    launch(process.execPath, [program, "up", "--config", file, "--log", "json"], {
      env: { PASSPHRASE: "only a test" },
    });
  const ask = (...args: readonly string[]) => run(process.execPath, [program, ...args, "--config", file]);
  const isOpen = async (): Promise<boolean> =>
    await ask("status").then(
      () => true,
      () => false,
    );
  /** Waits until everything is open, or something is not. */
  const until = async (wanted: boolean): Promise<void> => {
    while ((await isOpen()) !== wanted) await sleep(100);
  };
  const echoed = async (port: number): Promise<string> => String(await exchange(port, "hello"));

  beforeAll(async () => {
    const [plain, encrypted] = [await makeKey("ed25519", dir.file("plain")), dir.file("encrypted")];
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "only a test", "-f", encrypted]);
    const line = (await run("cat", [`${encrypted}.pub`])).trim();
    sshd = await startSshd({ authorizedKeys: [plain.publicLine, line], config: { LogLevel: "VERBOSE" } });
    target = await echoTarget();
    ports = [await freePort(), await freePort(), await freePort()];
    writeFileSync(dir.file("known_hosts"), `my-server ${sshd.hostKeys.ed25519?.publicLine}\n`);
    writeFileSync(
      dir.file("ssh_config"),
      `Host my-alias
  HostName 127.0.0.1
  Port ${sshd.port}
  User ${sshd.user}
  IdentityFile ${plain.file}
  IdentitiesOnly yes
  HostKeyAlias my-server
  UserKnownHostsFile ${dir.path}/known_hosts
  RemoteForward ${ports[1]} 127.0.0.1:${target.port}
  LocalForward ${ports[2]} 127.0.0.1:${target.port}
`,
    );
    const to = { host: "127.0.0.1", port: target.port };
    const config = {
      drainMs: 100,
      tunnels: {
        key: {
          host: "127.0.0.1",
          port: sshd.port,
          user: sshd.user,
          identity: [{ file: "encrypted", passphrase: { env: "PASSPHRASE" } }],
          hostKey: sshd.fingerprint(),
          reconnect: { intervalMs: 100, factor: 1 },
          forwards: [{ port: ports[0], target: to }],
        },
        alias: { ssh: { host: "my-alias", file: "ssh_config" }, reconnect: { intervalMs: 100, factor: 1 } },
      },
    };
    writeFileSync(file, JSON.stringify(config));
    up = await start();
    await until(true);
  });
  afterAll(async () => {
    await up?.stop();
    await sshd?.stop();
    await target?.stop();
    dir.remove();
  });

  it("logs in with an encrypted key and by an alias, and opens the forwardings of both", async () => {
    expect(await Promise.all(ports.map(echoed))).toEqual(["hello", "hello", "hello"]);
    const { tunnels } = JSON.parse(await ask("status", "--json"));
    expect(tunnels.map(({ name, state }: { name: string; state: string }) => [name, state])).toEqual([
      ["key", "open"],
      ["alias", "open"],
    ]);
    expect(up.stderr.text() + JSON.stringify(tunnels)).not.toContain("only a test");
  });

  it("opens everything again after the server was restarted", async () => {
    await sshd.kill();
    await until(false);
    await sshd.restart();
    await until(true);
    expect(await Promise.all(ports.map(echoed))).toEqual(["hello", "hello", "hello"]);
  });

  it("ends in time at SIGTERM although the server does not answer", async () => {
    sshd.signal("SIGSTOP", "sessions");
    process.kill(up.pid, "SIGTERM");
    expect(await up.exited).toBe(0);
    sshd.signal("SIGCONT", "sessions");
  });
});
