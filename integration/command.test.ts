/** The command that connects, beside OpenSSH's ssh: output, messages and exit status. */
import { createHash, randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startHost } from "./harness/clients/host.ts";
import { freePort, launch, missing, type Running, type Sshd, startSshd, tempDir, userKey } from "./harness/index.ts";

interface Ran {
  readonly status: number | NodeJS.Signals;
  readonly stdout: string;
  readonly stderr: string;
}

describe.skipIf(missing("sshd", "ssh"))("postern in place of ssh", () => {
  const dir = tempDir("postern-command");
  const config = dir.file("ssh_config");
  let sshd: Sshd;
  let authorized: string;
  const running: Running[] = [];

  beforeAll(async () => {
    const key = await userKey();
    authorized = `${key.publicLine}\n`;
    [sshd] = await Promise.all([
      startSshd({
        authorizedKeys: [key.publicLine],
        hostKeyTypes: ["ed25519", "ecdsa256"],
        config: { AcceptEnv: "POSTERN_*", ClientAliveInterval: "0", Subsystem: "answer sh -c 'cat; exit 6'" },
      }),
      esbuild.build({
        entryPoints: [fileURLToPath(new URL("../packages/cli/src/postern.ts", import.meta.url))],
        outdir: dir.path,
        bundle: true,
        splitting: true,
        format: "esm",
        platform: "node",
        conditions: ["@postern/source"],
        logLevel: "warning",
      }),
    ]);
    writeFileSync(dir.file("package.json"), '{"type":"module"}');
    const known = Object.values(sshd.hostKeys).map(({ publicLine }) => `[127.0.0.1]:${sshd.port} ${publicLine}\n`);
    writeFileSync(dir.file("known_hosts"), known.join(""));
    writeFileSync(
      config,
      `Host server
  HostName 127.0.0.1
  Port ${sshd.port}
  User ${sshd.user}
  IdentityFile ${key.file}
  IdentityAgent none
  UserKnownHostsFile ${dir.file("known_hosts")}
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  BatchMode yes
  ControlPath none
`,
    );
  });
  afterAll(async () => {
    await Promise.all(running.map((one) => one.stop()));
    await sshd?.stop();
    dir.remove();
  });

  const programs = { ssh: ["ssh"], postern: ["node", dir.file("postern.js")] } as const;

  async function start(program: keyof typeof programs, args: readonly string[], input?: string): Promise<Running> {
    const [command, ...first] = programs[program];
    const env = { POSTERN_TEST: "from the environment" };
    const process = await launch(
      command,
      [...first, "-F", config, ...args],
      input === undefined ? { env } : { env, input },
    );
    running.push(process);
    return process;
  }

  async function ran(program: keyof typeof programs, args: readonly string[], input = ""): Promise<Ran> {
    const process = await start(program, args, input);
    const status = await process.exited;
    const stderr = process.stderr.text().replaceAll("\r\n", "\n");
    return { status, stdout: process.stdout.text(), stderr };
  }

  /** Runs both, and expects the same of them. Returns what they did. */
  async function both(args: readonly string[], input = ""): Promise<Ran> {
    const [theirs, ours] = await Promise.all([ran("ssh", args, input), ran("postern", args, input)]);
    expect(ours).toEqual(theirs);
    return ours;
  }

  it.each<readonly [string, readonly string[]]>([
    ["a command", ["server", "cat; echo warning >&2; exit 7"]],
    ["a shell without a terminal", ["-T", "server"]],
    [
      "variables of SetEnv and SendEnv",
      ["-o", "SendEnv=POSTERN_T*", "-o", "SetEnv=POSTERN_A=1", "server", 'echo "$POSTERN_A $POSTERN_TEST"'],
    ],
    ["RemoteCommand", ["-o", "RemoteCommand=echo remote; exit 3", "server"]],
    ["a subsystem", ["-s", "server", "answer"]],
    ["an unknown subsystem", ["-s", "server", "nothing"]],
    ["a program that a signal ends", ["server", "kill -TERM $$"]],
    ["standard input from nowhere", ["-n", "server", "cat; echo end"]],
    ["LocalCommand", ["-o", "PermitLocalCommand=yes", "-o", "LocalCommand=echo local %n %p %r", "server", "true"]],
    ["a port that is closed", ["-p", "1", "server", "true"]],
    ["a name that does not exist", ["-o", "HostName=nothing.invalid", "-o", "ProxyJump=none", "server", "true"]],
    ["a login that is refused", ["-o", "PreferredAuthentications=password", "server", "true"]],
    ["-f without a command", ["-f", "server"]],
    ["a log file in no folder", ["-E", "/nonexistent/log", "server", "true"]],
  ])("does the same as ssh with %s", async (_name, args) => {
    await both(args, "echo typed; exit 4\n");
  });

  it("says nothing about a refused login with -q, as ssh", async () => {
    expect(await both(["-q", "-o", "PreferredAuthentications=password", "server", "true"])).toEqual({
      status: 255,
      stdout: "",
      stderr: "",
    });
  });

  it("ends with the words of ssh if the host key is unknown or has changed", async () => {
    const none = await ran("postern", ["-o", "UserKnownHostsFile=/dev/null", "server", "true"]);
    expect(none.stderr).toMatch(/\nHost key verification failed\.\n$/);
    const other = await userKey();
    writeFileSync(dir.file("changed"), `[127.0.0.1]:${sshd.port} ${other.publicLine}\n`);
    const changed = await ran("postern", ["-o", `UserKnownHostsFile=${dir.file("changed")}`, "server", "true"]);
    expect(changed.stderr).toMatch(/WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!/);
    expect(changed.stderr).toMatch(/\nHost key verification failed\.\n$/);
    expect([none.status, changed.status]).toEqual([255, 255]);
  });

  it("passes megabytes through both directions at once, and a reader that goes away ends the program", async () => {
    const bytes = randomBytes(3_000_000).toString("base64");
    const { stdout, status } = await ran("postern", ["server", "cat"], bytes);
    expect(status).toBe(0);
    expect(createHash("sha256").update(stdout).digest("hex")).toBe(createHash("sha256").update(bytes).digest("hex"));
    const shell = await launch("sh", ["-c", `node ${dir.file("postern.js")} -F ${config} -n server yes | head -n 1`]);
    running.push(shell);
    expect(await shell.exited).toBe(0);
    expect(shell.stdout.text()).toBe("y\n");
  });

  it("forwards standard input and output with -W, and says that the port is closed as ssh does", async () => {
    const echo = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
    const port = await new Promise<number>((resolve) => {
      echo.listen(0, "127.0.0.1", () => resolve((echo.address() as { port: number }).port));
    });
    try {
      expect((await both(["-W", `127.0.0.1:${port}`, "server"], "there and back")).stdout).toBe("there and back");
      expect((await both(["-W", "127.0.0.1:1", "server"])).stderr).toMatch(/^channel 0: open failed: connect failed/);
    } finally {
      echo.close();
    }
  });

  it("reports ports that are taken in the words of ssh, and ends for ExitOnForwardFailure", async () => {
    const remote = ["-R", `127.0.0.1:${sshd.port}:127.0.0.1:1`];
    const local = ["-L", `127.0.0.1:${sshd.port}:127.0.0.1:1`];
    const ends = ["-o", "ExitOnForwardFailure=yes"];
    expect((await both([...remote, "server", "true"])).stderr).toMatch(/^Warning: remote port forwarding failed/);
    expect((await both([...remote, ...ends, "-N", "server"])).stderr).toMatch(/^Error: remote port forwarding failed/);
    expect((await both([...local, "server", "true"])).status).toBe(0);
    expect((await both([...local, ...ends, "-N", "server"])).status).toBe(255);
  });

  it("reconnects with -N, and ends with 255 after SIGTERM, or after a loss with --no-reconnect", async () => {
    // sshd has forked its child by then.
    const listens = /All remote forwarding requests processed/;
    const port = await freePort();
    const tunnel = await start("postern", ["-v", "-N", "-R", `127.0.0.1:${port}:127.0.0.1:${sshd.port}`, "server"]);
    await tunnel.stderr.waitFor(listens);
    sshd.dropConnections();
    await tunnel.stderr.waitFor(/Connection to 127\.0\.0\.1 closed by remote host\./);
    await tunnel.stderr.waitFor(/reconnecting to server in [\d.]+ s[\s\S]*Authenticated to 127\.0\.0\.1/, 30_000);
    process.kill(tunnel.pid, "SIGTERM");
    expect(await tunnel.exited).toBe(255);
    const lost = await start("postern", ["--no-reconnect", "-v", "-N", "-R", "0:127.0.0.1:1", "server"]);
    await lost.stderr.waitFor(listens);
    sshd.dropConnections();
    expect(await lost.exited).toBe(255);
  });

  it("learns the other keys of the server (UpdateHostKeys) before a program that ends at once, as ssh", async () => {
    const [first, ...others] = Object.values(sshd.hostKeys).map(({ publicLine }) => publicLine);
    expect(others.length).toBeGreaterThan(0);
    const known = dir.file("first_key");
    writeFileSync(known, `[127.0.0.1]:${sshd.port} ${first}\n`);
    const args = ["-o", `UserKnownHostsFile=${known}`, "-o", "UpdateHostKeys=yes", "server", "true"];
    expect((await ran("postern", args)).status).toBe(0);
    const learned = readFileSync(known, "utf8");
    for (const line of others) expect(learned).toContain(line.split(" ")[1]);
  });

  it("ends with the reason of the server if that is lost right after the login", async () => {
    const server = await startHost({ keys: authorized });
    try {
      server.host.addEventListener("login", () => void server.host.close());
      const to = ["-p", String(server.port), "-l", server.user, "-o", "StrictHostKeyChecking=no"];
      const own = ["-o", `UserKnownHostsFile=${dir.file("lost_keys")}`, "-M", "-S", dir.file("lost")];
      const { status, stderr } = await ran("postern", [...to, ...own, "server", "true"]);
      expect(status).toBe(255);
      expect(stderr).toMatch(/\nReceived disconnect from 127\.0\.0\.1 port \d+:11: /);
    } finally {
      await server.stop();
    }
  });

  it("goes to the background with -f once the ports are there, and lets go of standard output", async () => {
    const port = await freePort();
    const path = dir.file("control");
    const args = ["-f", "-N", "-M", "-S", path, "-L", `127.0.0.1:${port}:127.0.0.1:${sshd.port}`, "server"];
    expect(await ran("postern", args)).toEqual({ status: 0, stdout: "", stderr: "" });
    const through = ["-p", String(port), "-o", `HostKeyAlias=[127.0.0.1]:${sshd.port}`, "server", "echo through"];
    expect((await ran("ssh", through)).stdout).toBe("through\n");
    // ssh drives our socket, and a session of ours goes through it.
    expect((await ran("ssh", ["-S", path, "-O", "check", "server"])).stderr).toMatch(/^Master running/);
    expect(await ran("postern", ["-S", path, "server", "exit 9"])).toMatchObject({ status: 9 });
    expect((await ran("postern", ["-S", path, "-O", "exit", "server"])).stderr).toBe("Exit request sent.\n");
    expect(existsSync(path)).toBe(false);
  });

  it("keeps a master of ControlPersist after the program has ended", async () => {
    const path = dir.file("persist");
    const args = ["-S", path, "-o", "ControlMaster=auto", "-o", "ControlPersist=yes", "server", "echo first; exit 5"];
    expect(await ran("postern", args)).toEqual({ status: 5, stdout: "first\n", stderr: "" });
    expect((await ran("postern", args)).status).toBe(5);
    expect((await ran("ssh", ["-S", path, "-O", "exit", "server"])).status).toBe(0);
  });

  it("appends lines of -v to the file of -E, and records as JSON with --log json", async () => {
    const log = dir.file("log");
    await ran("postern", ["-v", "-E", log, "server", "true"]);
    const text = readFileSync(log, "utf8");
    for (const line of ["debug1: SSH2_MSG_NEWKEYS sent\r\n", 'using "publickey".\r\n', "debug1: Exit status 0\r\n"])
      expect(text).toContain(line);
    const { stderr } = await ran("postern", ["--log", "json", "-p", "1", "server", "true"]);
    const records = stderr
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(records.at(-1)).toMatchObject({
      level: "fatal",
      event: "message",
      message: /* of ssh */ expect.stringContaining("Connection refused") as string,
    });
  });
});
