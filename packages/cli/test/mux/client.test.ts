/** Our client, which drives a real master: `ssh -M` (OpenSSH PROTOCOL.mux). */
import { once } from "node:events";
import { existsSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { openSession, type SshConnection } from "@postern/ssh";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  echoTarget,
  exchangeAt,
  freePort,
  isListening,
  type Running,
  runSsh,
  type Sshd,
  socketDir,
  startSshd,
  type Target,
  type TempDir,
  unixEchoTarget,
  userKey,
  visit,
} from "../../../../integration/harness/index.ts";
import { type MuxCommand, type MuxOutput, runMuxCommand } from "../../src/mux/client.ts";
import { connectToMaster, type ShareOptions } from "../../src/mux/connect.ts";
import type { MuxForward } from "../../src/mux/forward.ts";
import { encodeMuxFrame } from "../../src/mux/frames.ts";
import { MuxFailure, MuxHello, MuxOk } from "../../src/mux/messages.ts";
import { startWorld } from "./world.ts";

let sshd: Sshd;
let echo: Target;
let dir: TempDir;
let master: Running;
let path: string;
beforeAll(async () => {
  dir = socketDir();
  [sshd, echo] = await Promise.all([startSshd({ authorizedKeys: [(await userKey()).publicLine] }), echoTarget()]);
  path = dir.file("control");
  master = await startSshMaster(path);
});
afterAll(async () => {
  await master.stop();
  await sshd.stop();
  await echo.stop();
  dir.remove();
});

async function startSshMaster(path: string): Promise<Running> {
  const running = await runSsh(["-N", "-M", "-S", path], { server: sshd, identity: await userKey() });
  await running.stderr.waitFor(/setting up multiplex master socket/);
  while (!existsSync(path)) await running.stderr.waitFor(/Entering interactive session/);
  return running;
}

interface Recorded extends MuxOutput {
  readonly text: { stdout: string; stderr: string; errors: string; debug: string };
}

function record(): Recorded {
  const text = { stdout: "", stderr: "", errors: "", debug: "" };
  const add = (name: keyof typeof text, more: string): void => {
    text[name] += more;
  };
  return {
    text,
    stdout: (more) => add("stdout", more),
    stderr: (more) => add("stderr", more),
    log: (level, line) => add(level === "error" ? "errors" : "debug", `${line}\n`),
  };
}

/** A forwarding of the master, and another one that needs the same port. */
async function takenPort(): Promise<{ readonly taken: MuxForward; readonly forward: MuxForward }> {
  const listen = { host: undefined, port: await freePort() };
  const taken: MuxForward = { type: "local", listen, connect: { host: "127.0.0.1", port: echo.port } };
  expect(await command("forward", path, taken)).toEqual(good);
  return { taken, forward: { type: "local", listen, connect: { host: "127.0.0.1", port: 1 } } };
}

/** Runs a command, and returns its exit status and what it printed. */
async function command(command: MuxCommand, at: string, ...forwards: readonly MuxForward[]) {
  const output = record();
  const status = await runMuxCommand({ path: at, command, forwards, output });
  const { stdout, stderr, errors } = output.text;
  return { status, stdout, stderr, errors };
}

const good = { status: 0, stdout: "", stderr: "", errors: "" };

describe("runMuxCommand with the master of ssh", () => {
  it("checks it (section 4)", async () => {
    expect(await command("check", path)).toEqual({
      ...good,
      stderr: expect.stringMatching(/^Master running \(pid=\d+\)\r\n$/),
    });
  });

  it("opens and closes local, remote and dynamic forwardings (sections 6 and 7)", async () => {
    const connect = { host: "127.0.0.1", port: echo.port };
    for (const type of ["local", "remote", "dynamic"] as const) {
      const listen = { host: undefined, port: await freePort() };
      const forward: MuxForward = { type, listen, connect: type === "dynamic" ? undefined : connect };
      expect(await command("forward", path, forward)).toEqual(good);
      if (type !== "dynamic") {
        const visitor = await visit(listen.port);
        visitor.end();
        await visitor.readAll();
      }
      expect(isListening(listen.port)).toBe(true);
      expect(await command("cancel", path, forward)).toEqual(good);
      expect(isListening(listen.port)).toBe(false);
    }
  });

  it("prints the port that the server chose, and nothing else (section 6)", async () => {
    const forward: MuxForward = {
      type: "remote",
      listen: { host: undefined, port: 0 },
      connect: { host: "127.0.0.1", port: echo.port },
    };
    const { stdout, ...rest } = await command("forward", path, forward);
    expect(rest).toEqual({ status: 0, stderr: "", errors: "" });
    expect(stdout).toMatch(/^\d+\n$/);
    expect(isListening(Number(stdout))).toBe(true);
    expect(await command("cancel", path, forward)).toEqual(good);
  });

  it("forwards UNIX sockets (section 6)", async () => {
    const [target, local] = [dir.file("echo"), dir.file("local")];
    const unixEcho = await unixEchoTarget(target);
    const forward: MuxForward = { type: "local", listen: { path: local }, connect: { path: target } };
    expect(await command("forward", path, forward)).toEqual(good);
    expect(await exchangeAt(local, "knock")).toBe("knock");
    expect(await command("cancel", path, forward)).toEqual(good);
    await unixEcho.stop();
  });

  it("fails as ssh does if a forwarding fails, but not if its end does", async () => {
    const { taken, forward } = await takenPort();
    expect(await command("forward", path, forward)).toEqual({
      ...good,
      status: 255,
      errors:
        "mux_client_forward: forwarding request failed: Port forwarding failed\n" +
        "muxclient: master forward request failed\n",
    });
    expect(await command("cancel", path, forward)).toEqual({
      ...good,
      errors:
        "mux_client_forward: forwarding request failed: port not forwarded\n" +
        "muxclient: master cancel forward request failed\n",
    });
    expect(await command("cancel", path, taken)).toEqual(good);
  });

  it("stops it, and ends it (sections 5 and 8)", async () => {
    const other = dir.file("other");
    const stopped = await startSshMaster(other);
    expect(await command("stop", other)).toEqual({ ...good, stderr: "Stop listening request sent.\r\n" });
    expect(existsSync(other)).toBe(false);
    await stopped.stop();
    const ended = await startSshMaster(other);
    expect(await command("exit", other)).toEqual({ ...good, stderr: "Exit request sent.\r\n" });
    await ended.exited;
    await ended.stop();
  });
});

describe("runMuxCommand without a master", () => {
  it("exits with 255 and the words of ssh", async () => {
    const missing = dir.file("missing");
    const errors = `Control socket connect(${missing}): No such file or directory\n`;
    expect(await command("check", missing)).toEqual({ ...good, status: 255, errors });
    const file = dir.file("file");
    writeFileSync(file, "");
    const refused = `Control socket connect(${file}): Connection refused\n`;
    expect(await command("exit", file)).toEqual({ ...good, status: 255, errors: refused });
    const long = dir.file("a".repeat(120));
    expect(await command("stop", long)).toMatchObject({
      status: 255,
      errors: `ControlPath too long ('${long}' >= 108 bytes)\n`,
    });
  });
});

/** A master that answers with the given bytes. */
async function liar(answers: readonly Uint8Array[]): Promise<{ path: string; close(): void }> {
  const at = dir.file(`liar${Math.random()}`);
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    for (const answer of answers) socket.write(answer);
    if (answers.length === 0) socket.destroy();
  }).listen(at);
  await once(server, "listening");
  return { path: at, close: () => void server.close() };
}

describe("runMuxCommand with a master that lies", () => {
  const hello = encodeMuxFrame(MuxHello.encode({ version: 4, extensions: [] }));
  for (const [title, answers, error] of [
    [
      "speaks version 5",
      [encodeMuxFrame(MuxHello.encode({ version: 5, extensions: [] }))],
      "Unsupported multiplexing protocol version 5 (expected 4)",
    ],
    ["begins with another message", [encodeMuxFrame(MuxOk.encode({ requestId: 0 }))], "expected MUX_MSG_HELLO"],
    [
      "answers another request",
      [hello, encodeMuxFrame(MuxOk.encode({ requestId: 9 }))],
      "out of sequence reply: my id 0 theirs 9",
    ],
    [
      "answers with another message",
      [hello, encodeMuxFrame(MuxOk.encode({ requestId: 0 }))],
      "unexpected response from master 0x80000001",
    ],
    [
      "announces 4 GiB",
      [hello, new Uint8Array(4).fill(0xff)],
      "expected a multiplexing message of at most 262144 bytes",
    ],
    [
      "gives a reason that moves the cursor",
      [hello, encodeMuxFrame(MuxFailure.encode({ requestId: 0, reason: "a\u001b[2J" }))],
      "alive check failed: a",
    ],
    ["closes at once", [], "read from master failed: Broken pipe"],
  ] as const) {
    it(`exits with 255 if it ${title}`, async () => {
      const master = await liar(answers);
      const { status, errors } = await command("check", master.path);
      expect(status).toBe(255);
      expect(errors).toContain(error);
      expect(errors).not.toContain("\u001b");
      master.close();
    });
  }
});

/** The same with the master of ssh, and with ours. */
function shares(
  kind: "ssh" | "ours",
  open: (more?: Partial<ShareOptions>) => Promise<SshConnection | undefined>,
): void {
  const text = (stream: ReadableStream<Uint8Array>): Promise<string> =>
    new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).text();

  it("runs a command: its input, output, errors and exit status (section 9)", async () => {
    const connection = await open();
    if (connection === undefined) throw new Error("expected a connection");
    const session = await openSession(connection, { exec: "cat; echo warning >&2; exit 44" });
    const writer = session.stdin.getWriter();
    await writer.write(new TextEncoder().encode("from stdin"));
    await writer.close();
    expect(await Promise.all([text(session.stdout), text(session.stderr), session.exit])).toEqual([
      "from stdin",
      "warning\n",
      { status: 44 },
    ]);
    await session.closed;
    await connection.close();
  });

  it("opens connections to addresses, several at a time (section 9)", async () => {
    const connection = await open();
    if (connection === undefined) throw new Error("expected a connection");
    const echoes = Array.from({ length: 3 }, async (_, index) => {
      const channel = await connection.openTcp({ host: "127.0.0.1", port: echo.port });
      const writer = channel.writable.getWriter();
      await writer.write(new TextEncoder().encode(`knock ${index}`));
      await writer.close();
      return await text(channel.readable);
    });
    expect(await Promise.all(echoes)).toEqual(["knock 0", "knock 1", "knock 2"]);
    // A refused channel ends the master of ssh (9.2, 10.0 and 10.6).
    if (kind === "ours") {
      const refused = connection.openTcp({ host: "127.0.0.1", port: 1 });
      await expect(refused).rejects.toMatchObject({ code: "refused", reason: 2 });
    }
    // Global requests fail here, because a master of OpenSSH would end the connection.
    expect(await connection.request("keepalive@openssh.com", new Uint8Array(0))).toMatchObject({ ok: false });
    expect(await text((await openSession(connection, { exec: "echo alive" })).stdout)).toBe("alive\n");
    await connection.close();
  });

  it("carries many bytes in both directions without loss (section 9)", async () => {
    const connection = await open();
    if (connection === undefined) throw new Error("expected a connection");
    const session = await openSession(connection, { exec: "cat" });
    const size = 5_000_000;
    const writer = session.stdin.getWriter();
    void writer.write(new Uint8Array(size).fill(0x61)).then(() => writer.close());
    const received = await text(session.stdout);
    expect(received.length).toBe(size);
    expect(received.replaceAll("a", "")).toBe("");
    expect(await session.exit).toEqual({ status: 0 });
    await connection.close();
  });

  it("opens the forwardings first", async () => {
    const port = await freePort();
    const forward: MuxForward = {
      type: "local",
      listen: { host: undefined, port },
      connect: { host: "127.0.0.1", port: echo.port },
    };
    const connection = await open({ forwards: [forward] });
    expect(isListening(port)).toBe(true);
    await connection?.close();
    // They belong to the master.
    expect(isListening(port)).toBe(true);
  });
}

const shared =
  (at: () => string, own: Partial<ShareOptions> = {}) =>
  (more: Partial<ShareOptions> = {}) =>
    connectToMaster({ path: at(), controlMaster: "auto", forwards: [], output: record(), ...own, ...more });

describe("a connection shared with the master of ssh", () => {
  shares(
    "ssh",
    shared(() => path, { proxy: true }),
  );

  it("is not used without -O proxy, because a refused channel would end the master", async () => {
    const output = record();
    expect(await connectToMaster({ path, controlMaster: "auto", forwards: [], output })).toBeUndefined();
    expect(output.text.debug).toContain("the master is not Postern's");
  });
});

describe("a connection shared with our master", () => {
  let world: Awaited<ReturnType<typeof startWorld>>;
  beforeAll(async () => {
    world = await startWorld(sshd);
  });
  afterAll(() => world.close());
  shares(
    "ours",
    shared(() => world.path),
  );

  it("ends with it", async () => {
    const other = await startWorld(sshd);
    const connection = await shared(() => other.path)();
    if (connection === undefined) throw new Error("expected a connection");
    const session = await openSession(connection, { exec: "sleep 60" });
    await other.close();
    await expect(session.exit).rejects.toMatchObject({ code: "closed" });
  });
});

describe("connectToMaster without a master", () => {
  it("returns nothing, so that the program connects by itself, as ssh does", async () => {
    const output = record();
    const missing = dir.file("missing");
    expect(await connectToMaster({ path: missing, controlMaster: "no", forwards: [], output })).toBeUndefined();
    expect(output.text).toMatchObject({ errors: "", debug: `Control socket "${missing}" does not exist\n` });
    expect(await connectToMaster({ path, controlMaster: "yes", forwards: [], output })).toBeUndefined();
    const explicit = { path: missing, controlMaster: "no", proxy: true, forwards: [], output } as const;
    expect(await connectToMaster(explicit)).toBeUndefined();
    expect(output.text.errors).toBe(`Control socket connect(${missing}): No such file or directory\n`);
  });

  it("removes a stale socket with ControlMaster auto only", async () => {
    const stale = dir.file("stale");
    const dead = createServer().listen(`${stale}.old`);
    await once(dead, "listening");
    renameSync(`${stale}.old`, stale);
    dead.close();
    const output = record();
    await connectToMaster({ path: stale, controlMaster: "no", forwards: [], output });
    expect(output.text.errors).toBe(`Control socket connect(${stale}): Connection refused\n`);
    expect(existsSync(stale)).toBe(true);
    await connectToMaster({ path: stale, controlMaster: "auto", forwards: [], output });
    expect(existsSync(stale)).toBe(false);
  });

  it("leaves a socket that does not send its version within ConnectTimeout, as ssh 10", async () => {
    const silent = dir.file("silent");
    const server = createServer((socket) => void socket.on("error", () => {})).listen(silent);
    await once(server, "listening");
    const output = record();
    const options = { path: silent, forwards: [], timeoutMs: 50, output } as const;
    expect(await connectToMaster({ ...options, controlMaster: "no" })).toBeUndefined();
    expect(await runMuxCommand({ ...options, command: "check" })).toBe(255);
    expect(output.text.errors).toBe("muxclient: master hello exchange failed\n".repeat(2));
    server.close();
  });

  it("returns nothing if a forwarding fails, as ssh does", async () => {
    const { taken, forward } = await takenPort();
    const output = record();
    expect(
      await connectToMaster({ path, controlMaster: "no", proxy: true, forwards: [forward], output }),
    ).toBeUndefined();
    expect(output.text.errors).toContain("muxclient: master forward request failed\n");
    expect(await command("cancel", path, taken)).toEqual(good);
  });
});
