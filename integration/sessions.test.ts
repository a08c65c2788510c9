/** Sessions on real servers: commands, shells, terminals, subsystems, and the session of a tunnel. */
import { connect as connectTcp } from "node:net";
import { modernAlgorithms, nodeRandom, privateKey, sha256Fingerprint, socketPipe, terminalModes } from "@postern/node";
import { connect, type OpenSessionOptions, openSession, type SshConnection } from "@postern/ssh";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Dropbear,
  missing,
  openTunnel,
  type Sshd,
  type SshServer,
  startDropbear,
  startSshd,
  userKey,
} from "./harness/index.ts";

const textOf = (stream: ReadableStream<Uint8Array>): Promise<string> =>
  new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).text();

async function login(server: SshServer): Promise<SshConnection> {
  const [hostKey] = Object.values(server.hostKeys);
  const connection = await connect(socketPipe(connectTcp(server.port, "127.0.0.1")), {
    algorithms: modernAlgorithms,
    random: nodeRandom,
    user: server.user,
    auth: [privateKey((await userKey()).privateText)],
    hostKey: (offer) => sha256Fingerprint(offer.hostKey) === hostKey?.fingerprint,
  });
  connection.closed.catch(() => undefined);
  return connection;
}

/** Runs a program to its end. */
async function run(connection: SshConnection, options: OpenSessionOptions, input = "") {
  const session = await openSession(connection, options);
  const writer = session.stdin.getWriter();
  void writer
    .write(new TextEncoder().encode(input))
    .then(() => writer.close())
    .catch(() => undefined);
  const [stdout, stderr, exit] = await Promise.all([textOf(session.stdout), textOf(session.stderr), session.exit]);
  await session.closed;
  return { stdout, stderr, exit };
}

/** Reads until the text matches. */
async function readUntil(reader: ReadableStreamDefaultReader<Uint8Array>, pattern: RegExp): Promise<string> {
  const decoder = new TextDecoder();
  for (let text = ""; ; ) {
    const { done, value } = await reader.read();
    text += decoder.decode(value, { stream: !done });
    if (pattern.test(text)) return text;
    if (done) throw new Error(`expected ${pattern}, got ${JSON.stringify(text)}`);
  }
}

/** The behaviour that every server of sessions must have. */
function behavesAsServer(login: () => SshConnection): void {
  it("runs a command: output, errors, input up to its EOF, and the exit status", async () => {
    const ran = await run(login(), { exec: "cat; echo warning >&2; exit 3" }, "from stdin");
    expect(ran).toEqual({ stdout: "from stdin", stderr: "warning\n", exit: { status: 3 } });
  });

  it("reports the signal that ended the program (RFC 4254 section 6.10)", async () => {
    const { exit } = await run(login(), { exec: "kill -TERM $$" });
    expect(exit).toMatchObject({ signal: "TERM" });
  });

  it("starts a shell that ends with its input", async () => {
    const { stdout, exit } = await run(login(), { shell: true }, "echo $((6 * 7))\nexit 5\n");
    expect(stdout).toContain("42");
    expect(exit).toEqual({ status: 5 });
  });

  it("allocates a terminal with its type, its size, its modes and its new size (RFC 4254 sections 6.2, 6.7 and 8)", async () => {
    const modes = terminalModes({ ECHO: 0, ONLCR: 0 });
    const session = await openSession(login(), { shell: true, pty: { term: "vt100", columns: 91, rows: 33, modes } });
    const [reader, writer] = [session.stdout.getReader(), session.stdin.getWriter()];
    const type = async (line: string): Promise<void> => await writer.write(new TextEncoder().encode(`${line}\n`));
    await type('echo "<$TERM $(stty size)>"');
    expect(await readUntil(reader, /<[^>]*>/)).toContain("<vt100 33 91>");
    session.resize({ columns: 120, rows: 50 });
    await type('echo "<$(stty size) $(stty -a | grep -o -e -echo -w)>"');
    expect(await readUntil(reader, /<[^>]*>/)).toMatch(/<50 120 -echo>/);
    await type("exit 7");
    expect(await session.exit).toEqual({ status: 7 });
    session.close();
  });

  it("loses nothing of either stream with slow readers, one after the other", async () => {
    const size = 3_000_000;
    const session = await openSession(login(), { exec: `head -c ${size} /dev/zero; echo end >&2`, window: 100_000 });
    const errors = textOf(session.stderr);
    const reader = session.stdout.getReader();
    let received = 0;
    for (let reads = 0; ; reads++) {
      const { done, value } = await reader.read();
      if (done) break;
      received += value.length;
      if (reads % 16 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect([received, await errors, await session.exit]).toEqual([size, "end\n", { status: 0 }]);
  });

  it("ends a program that reads, if the session is closed, and leaves the connection open", async () => {
    const session = await openSession(login(), { exec: "echo started; cat" });
    await session.stdout.getReader().read();
    session.close();
    await session.closed;
    expect((await run(login(), { exec: "echo still here" })).stdout).toBe("still here\n");
  });

  it("waits for the exit status of a program that has closed its output (RFC 4254 section 6.10)", async () => {
    const { stdout, exit } = await run(login(), { exec: "echo out; exec >&- 2>&-; sleep 0.2; exit 6" });
    expect([stdout, exit]).toEqual(["out\n", { status: 6 }]);
  });
}

describe.skipIf(missing("sshd", "password"))("a session on OpenSSH", () => {
  let sshd: Sshd;
  let connection: SshConnection;
  beforeAll(async () => {
    sshd = await startSshd({
      authorizedKeys: [(await userKey()).publicLine],
      config: { AcceptEnv: "POSTERN_*", Subsystem: "sftp internal-sftp" },
    });
    connection = await login(sshd);
  });
  afterAll(async () => {
    await connection?.close();
    await sshd?.stop();
  });

  behavesAsServer(() => connection);

  it("ends a program that writes for ever, if the session is closed", async () => {
    const session = await openSession(connection, { exec: "cat /dev/zero", window: 50_000 });
    await session.stdout.getReader().read();
    session.close();
    await session.closed;
  });

  it("has the variables of AcceptEnv, and is refused with others", async () => {
    const exec = 'echo "$POSTERN_A"';
    expect((await run(connection, { exec, env: { POSTERN_A: "b c" } })).stdout).toBe("b c\n");
    await expect(openSession(connection, { exec, env: { OTHER: "x" } })).rejects.toMatchObject({
      code: "refused",
      message: expect.stringContaining("the request env"),
    });
  });

  it("starts a subsystem: sftp answers its INIT, and an unknown one is refused (RFC 4254 section 6.5)", async () => {
    const session = await openSession(connection, { subsystem: "sftp" });
    // SSH_FXP_INIT of SFTP version 3
    await session.stdin.getWriter().write(Uint8Array.of(0, 0, 0, 5, 1, 0, 0, 0, 3));
    const { value } = await session.stdout.getReader().read();
    // SSH_FXP_VERSION, version 3
    expect([...(value ?? [])].slice(4, 9)).toEqual([2, 0, 0, 0, 3]);
    session.close();
    await expect(openSession(connection, { subsystem: "nothing" })).rejects.toMatchObject({ code: "refused" });
  });

  it("gets signals (RFC 4254 section 6.9)", async () => {
    const session = await openSession(connection, {
      exec: 'trap "echo caught; exit 9" USR1; echo ready; while :; do sleep 0.05; done',
    });
    const reader = session.stdout.getReader();
    await readUntil(reader, /ready/);
    session.signal("USR1");
    await readUntil(reader, /caught/);
    expect(await session.exit).toEqual({ status: 9 });
  });

  it("is opened by a tunnel, prints to the event message, and again after a reconnection", async () => {
    const tunnel = await openTunnel(sshd, {
      session: { exec: 'echo "at $SSH_CONNECTION"; echo "to err\u00f6r" >&2; sleep 60' },
      reconnect: { intervalMs: 10 },
    });
    const messages: string[] = [];
    tunnel.addEventListener("message", ({ message }) => void messages.push(...message.split("\n")));
    const listener = await tunnel.listen({ port: 0 });
    await expect
      .poll(() => messages.toSorted(), { timeout: 10_000 })
      .toEqual([expect.stringMatching(/^at 127\.0\.0\.1 /), "to err\u00f6r"]);
    sshd.dropConnections();
    await expect.poll(() => messages.length, { timeout: 10_000 }).toBe(4);
    expect([tunnel.state, listener.state]).toEqual(["open", "open"]);
    await tunnel.close();
    connection = await login(sshd);
  });

  it("does not end its tunnel when it ends", async () => {
    const tunnel = await openTunnel(sshd, { session: { exec: "exit 4" } });
    const debug: string[] = [];
    tunnel.addEventListener("debug", ({ message }) => void debug.push(message));
    const listener = await tunnel.listen({ port: 0 });
    await expect.poll(() => debug, { timeout: 10_000 }).toContain("the session ended with status 4");
    expect([tunnel.state, listener.state, (await listener.probe()).ok]).toEqual(["open", "open", true]);
    await tunnel.close();
  });
});

describe.skipIf(missing("dropbear"))("a session on dropbear", () => {
  let dropbear: Dropbear;
  let connection: SshConnection;
  beforeAll(async () => {
    dropbear = await startDropbear({ authorizedKeys: [(await userKey()).publicLine] });
    connection = await login(dropbear);
  });
  afterAll(async () => {
    await connection?.close();
    await dropbear?.stop();
  });

  behavesAsServer(() => connection);
});
