/** Sessions of a client, RFC 4254 section 6, against a server that sends what the test scripts. */
import type { Liar } from "@postern/testkit";
import {
  type Bytes,
  ChannelClose,
  ChannelData,
  ChannelEof,
  ChannelExtendedData,
  ChannelFailure,
  ChannelOpen,
  ChannelOpenConfirmation,
  ChannelRequest,
  ChannelSuccess,
  ChannelWindowAdjust,
  EnvRequest,
  ExecRequest,
  ExitSignal,
  ExitStatus,
  fromUtf8,
  PtyRequest,
  SignalRequest,
  SubsystemRequest,
  utf8,
  WindowChange,
} from "@postern/wire";
import { describe, expect, it } from "vitest";
import { type OpenSessionOptions, openSession, type Session, type SshConnection, terminalModes } from "../src/index.ts";
import { loggedIn, nothing, rejection, turns } from "./helpers.ts";

/** The client's number of its session, and the server's. */
interface Numbers {
  readonly ours: number;
}

interface Opening {
  readonly liar: Liar;
  readonly client: SshConnection;
  readonly opening: Promise<Session>;
  readonly window: number;
  readonly numbers: Numbers;
}

/** A session that the server has confirmed, and whose requests it has not read. */
async function confirmed(options: OpenSessionOptions, window = 100_000): Promise<Opening> {
  const both = await loggedIn();
  const opening = openSession(both.client, options);
  opening.catch(() => {});
  const open = ChannelOpen.decode(await both.liar.until(ChannelOpen.number));
  expect(open.channelType).toBe("session");
  expect(open.specificData).toHaveLength(0);
  both.liar.send(
    ChannelOpenConfirmation.encode({
      recipientChannel: open.senderChannel,
      senderChannel: 7,
      initialWindow: window,
      maxPacket: 32_768,
      specificData: nothing,
    }),
  );
  return { ...both, opening, window: open.initialWindow, numbers: { ours: open.senderChannel } };
}

const nextRequest = async (liar: Liar) => ChannelRequest.decode(await liar.until(ChannelRequest.number));

/** A session whose requests the server has accepted. */
async function started(options: OpenSessionOptions, window?: number): Promise<Opening & { readonly session: Session }> {
  const opened = await confirmed(options, window);
  const { liar, numbers, opening } = opened;
  let last = "";
  while (!["exec", "shell", "subsystem"].includes(last)) {
    last = (await nextRequest(liar)).requestType;
    liar.send(ChannelSuccess.encode({ recipientChannel: numbers.ours }));
  }
  return { ...opened, session: await opening };
}

const out = ({ ours }: Numbers, data: Bytes): Bytes => ChannelData.encode({ recipientChannel: ours, data });
const err = ({ ours }: Numbers, data: Bytes, dataType = 1): Bytes =>
  ChannelExtendedData.encode({ recipientChannel: ours, dataType, data });
const eof = ({ ours }: Numbers): Bytes => ChannelEof.encode({ recipientChannel: ours });
const close = ({ ours }: Numbers): Bytes => ChannelClose.encode({ recipientChannel: ours });
const notice = ({ ours }: Numbers, requestType: string, specificData: Bytes, wantReply = false): Bytes =>
  ChannelRequest.encode({ recipientChannel: ours, requestType, wantReply, specificData });
const textOf = (stream: ReadableStream<Uint8Array>): Promise<string> =>
  new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).text();

describe("openSession", () => {
  it("sends all requests in one flight, in OpenSSH's order, each with want_reply (RFC 4254 sections 6.2 to 6.5)", async () => {
    const modes = terminalModes({ ECHO: 0, VINTR: 3 });
    const pty = { term: "vt100", columns: 120, rows: 40, width: 960, height: 800, modes };
    const { liar, opening, numbers } = await confirmed({ exec: "ls -l", pty, env: { LANG: "C", TZ: "UTC" } });
    const requests = [];
    for (let count = 0; count < 4; count++) requests.push(await nextRequest(liar));
    expect(requests.map(({ requestType, wantReply }) => [requestType, wantReply])).toEqual([
      ["pty-req", true],
      ["env", true],
      ["env", true],
      ["exec", true],
    ]);
    const [terminal, lang, zone, command] = requests.map(({ specificData }) => specificData) as [
      Bytes,
      Bytes,
      Bytes,
      Bytes,
    ];
    expect(PtyRequest.decode(terminal)).toEqual({
      terminal: "vt100",
      columns: 120,
      rows: 40,
      width: 960,
      height: 800,
      modes,
    });
    expect(EnvRequest.decode(lang)).toEqual({ name: "LANG", value: "C" });
    expect(EnvRequest.decode(zone)).toEqual({ name: "TZ", value: "UTC" });
    expect(ExecRequest.decode(command)).toEqual({ command: "ls -l" });
    for (const _ of requests) liar.send(ChannelSuccess.encode({ recipientChannel: numbers.ours }));
    await opening;
  });

  it("starts a shell without data and a subsystem by its name (RFC 4254 section 6.5)", async () => {
    const shell = await confirmed({ shell: true });
    expect(await nextRequest(shell.liar)).toMatchObject({ requestType: "shell", specificData: nothing });
    const sftp = await confirmed({ subsystem: "sftp" });
    const { requestType, specificData } = await nextRequest(sftp.liar);
    expect([requestType, SubsystemRequest.decode(specificData)]).toEqual(["subsystem", { name: "sftp" }]);
  });

  it("asks for a terminal of 80 by 24 without modes by default", async () => {
    const { liar } = await confirmed({ shell: true, pty: true });
    const { specificData } = await nextRequest(liar);
    expect(PtyRequest.decode(specificData)).toEqual({
      terminal: "xterm-256color",
      columns: 80,
      rows: 24,
      width: 0,
      height: 0,
      modes: new Uint8Array(1),
    });
  });

  it.each(["pty-req", "env", "exec"])("rejects and closes the session if the server refuses %s", async (refused) => {
    const { liar, opening, numbers } = await confirmed({ exec: "true", pty: true, env: { A: "b" } });
    for (let count = 0; count < 3; count++) {
      const { requestType } = await nextRequest(liar);
      const answer = requestType === refused ? ChannelFailure : ChannelSuccess;
      liar.send(answer.encode({ recipientChannel: numbers.ours }));
    }
    const message = `expected the server to accept the request ${refused}, got a refusal`;
    await expect(opening).rejects.toMatchObject({ code: "refused", message });
    expect(ChannelClose.decode(await liar.until(ChannelClose.number)).recipientChannel).toBe(7);
  });

  it("names the refused request if the server closes the session behind its refusal", async () => {
    const { liar, opening, numbers } = await confirmed({ exec: "true", pty: true });
    await nextRequest(liar);
    liar.send(ChannelFailure.encode({ recipientChannel: numbers.ours }), close(numbers));
    await expect(opening).rejects.toMatchObject({ code: "refused", message: expect.stringContaining("pty-req") });
  });

  it("rejects with closed if the server closes the session instead of an answer", async () => {
    const { liar, opening, numbers } = await confirmed({ exec: "true" });
    liar.send(close(numbers));
    await expect(opening).rejects.toMatchObject({ code: "closed" });
  });

  it("rejects with the signal's reason, and closes the session", async () => {
    const abort = new AbortController();
    const { liar, opening } = await confirmed({ exec: "sleep 9", signal: abort.signal });
    await nextRequest(liar);
    abort.abort(new Error("enough"));
    await expect(opening).rejects.toThrow("enough");
    await liar.until(ChannelClose.number);
  });

  it("rejects options that are unknown, missing or contradictory", async () => {
    const { client } = await loggedIn();
    const bad: readonly [unknown, string][] = [
      [{}, "expected one of exec, subsystem and shell: true, got none"],
      [{ exec: "ls", shell: true }, "expected one of exec, subsystem and shell: true, got 2"],
      [{ shell: false }, "expected one of exec, subsystem and shell: true, got 1"],
      [{ exec: "" }, 'expected exec to be a non-empty string, got ""'],
      [{ command: "ls" }, 'unknown option "command"'],
      [{ exec: "ls", env: { A: 1 } }, "expected env.A to be a string, got a number"],
      [{ exec: "ls", pty: { columns: -1 } }, "expected columns to be an integer from 0 to 4294967295, got -1"],
      [{ exec: "ls", pty: { size: 1 } }, 'unknown option "size"'],
    ];
    for (const [options, message] of bad) {
      const error = await rejection(openSession(client, options as OpenSessionOptions));
      expect(error).toMatchObject({ code: "misuse", message: expect.stringContaining(message) });
    }
    expect(() => terminalModes({ toString: 1 } as object)).toThrow("expected the name of a terminal mode");
    expect(client.channelCount).toBe(0);
  });
});

describe("the end of a session", () => {
  it("has the exit status, and then all output (RFC 4254 section 6.10)", async () => {
    const { liar, session, numbers } = await started({ exec: "false" });
    liar.send(out(numbers, utf8("out")), notice(numbers, "exit-status", ExitStatus.encode({ status: 0x1_0003 })));
    expect(await session.exit).toEqual({ status: 0x1_0003 });
    liar.send(out(numbers, utf8("put")), eof(numbers), close(numbers));
    expect(await textOf(session.stdout)).toBe("output");
    expect(await textOf(session.stderr)).toBe("");
    await session.closed;
  });

  it("is awaited after EOF in both directions, and may be reported then (RFC 4254 section 6.10)", async () => {
    const { liar, session, numbers } = await started({ exec: "daemon" });
    await session.stdin.getWriter().close();
    await liar.until(ChannelEof.number);
    liar.send(eof(numbers));
    await turns();
    const closes = liar.until(ChannelClose.number);
    liar.send(notice(numbers, "exit-status", ExitStatus.encode({ status: 9 })), close(numbers));
    expect(await session.exit).toEqual({ status: 9 });
    await closes;
    await session.closed;
  });

  it("need not be awaited: close() ends a session after EOF in both directions", async () => {
    const { liar, session, numbers } = await started({ exec: "daemon" });
    await session.stdin.getWriter().close();
    liar.send(eof(numbers));
    await turns();
    session.close();
    await liar.until(ChannelClose.number);
    liar.send(close(numbers));
    expect(await session.exit).toEqual({ status: undefined });
  });

  it("has the signal with a printable message (RFC 4254 section 6.10)", async () => {
    const { liar, session, numbers } = await started({ exec: "kill $$" });
    const exit = { signal: "TERM", coreDumped: true, message: "gone\u001b[2J", language: "" };
    liar.send(notice(numbers, "exit-signal", ExitSignal.encode(exit)), close(numbers));
    expect(await session.exit).toEqual({ signal: "TERM", coreDumped: true, message: "gone\\u{1b}[2J" });
  });

  it("has the first of several reports", async () => {
    const { liar, session, numbers } = await started({ exec: "true" });
    liar.send(...[1, 2].map((status) => notice(numbers, "exit-status", ExitStatus.encode({ status }))));
    expect(await session.exit).toEqual({ status: 1 });
  });

  it("has no status if the server closes the session without a report", async () => {
    const { liar, session, numbers } = await started({ shell: true });
    liar.send(close(numbers));
    expect(await session.exit).toEqual({ status: undefined });
  });

  it("is an error if the connection breaks, of the streams too", async () => {
    const { liar, session, numbers } = await started({ shell: true });
    liar.send(err(numbers, utf8("unread")));
    await turns();
    liar.abort();
    for (const end of [session.exit, session.closed, textOf(session.stdout), textOf(session.stderr)])
      await expect(end).rejects.toThrow();
  });

  it("ends the connection if the report is malformed", async () => {
    const { liar, client, numbers } = await started({ shell: true });
    liar.send(notice(numbers, "exit-status", new Uint8Array(3)));
    await expect(client.closed).rejects.toMatchObject({ code: "protocol" });
  });

  it("does not depend on other requests, which are refused", async () => {
    const { liar, session, numbers } = await started({ shell: true });
    liar.send(
      notice(numbers, "xon-xoff", new Uint8Array(1)),
      notice(numbers, "keepalive@openssh.com", nothing, true),
      notice(numbers, "exit-status", ExitStatus.encode({ status: 4 })),
    );
    expect(ChannelFailure.decode(await liar.until(ChannelFailure.number)).recipientChannel).toBe(7);
    expect(await session.exit).toEqual({ status: 4 });
  });
});

describe("the streams of a session", () => {
  it("keep stdout and stderr apart, and drop extended data of other types (RFC 4254 section 5.2)", async () => {
    const { liar, session, numbers } = await started({ exec: "make" });
    liar.send(
      err(numbers, utf8("warn")),
      out(numbers, utf8("built")),
      err(numbers, utf8("hidden"), 2),
      err(numbers, utf8("ing")),
      eof(numbers),
      close(numbers),
    );
    expect(await textOf(session.stdout)).toBe("built");
    expect(await textOf(session.stderr)).toBe("warning");
  });

  it("lose nothing of stderr while stdout is not read, and the other way round", async () => {
    const { liar, session, numbers } = await started({ exec: "make" });
    liar.send(out(numbers, new Uint8Array(30_000)), err(numbers, utf8("late")), eof(numbers), close(numbers));
    expect(await textOf(session.stderr)).toBe("late");
    expect((await new Response(session.stdout).arrayBuffer()).byteLength).toBe(30_000);
    const other = await started({ exec: "make" });
    other.liar.send(err(other.numbers, new Uint8Array(30_000)), out(other.numbers, utf8("first")), eof(other.numbers));
    expect(await textOf(other.session.stdout)).toBe("first");
    expect((await new Response(other.session.stderr).arrayBuffer()).byteLength).toBe(30_000);
  });

  it("share one window, which only reading extends (RFC 4254 section 5.2)", async () => {
    const { liar, session, numbers, window } = await started({ exec: "yes", window: 60_000 });
    expect(window).toBe(60_000);
    liar.send(out(numbers, new Uint8Array(30_000)), err(numbers, new Uint8Array(30_000)));
    await turns();
    const adjust = liar.until(ChannelWindowAdjust.number);
    await session.stderr.getReader().read();
    expect(ChannelWindowAdjust.decode(await adjust)).toEqual({ recipientChannel: 7, bytesToAdd: 30_000 });
    liar.send(err(numbers, new Uint8Array(30_000)), err(numbers, new Uint8Array(1)));
    await expect(session.closed).rejects.toMatchObject({ message: expect.stringContaining("within the window") });
  });

  it("extend the window by what a cancelled stderr drops, before and after", async () => {
    const { liar, session, numbers } = await started({ exec: "make", window: 60_000 });
    liar.send(err(numbers, new Uint8Array(30_000)));
    await turns();
    await session.stderr.cancel();
    expect(ChannelWindowAdjust.decode(await liar.until(ChannelWindowAdjust.number)).bytesToAdd).toBe(30_000);
    liar.send(err(numbers, new Uint8Array(30_000)));
    expect(ChannelWindowAdjust.decode(await liar.until(ChannelWindowAdjust.number)).bytesToAdd).toBe(30_000);
  });

  it("end separately: EOF on stdin leaves stdout open (RFC 4254 section 5.3)", async () => {
    const { liar, session, numbers } = await started({ exec: "cat" });
    const writer = session.stdin.getWriter();
    await writer.write(utf8("hello"));
    await writer.close();
    expect(fromUtf8(ChannelData.decode(await liar.until(ChannelData.number)).data)).toBe("hello");
    await liar.until(ChannelEof.number);
    liar.send(
      out(numbers, utf8("hello")),
      notice(numbers, "exit-status", ExitStatus.encode({ status: 0 })),
      eof(numbers),
    );
    expect(await textOf(session.stdout)).toBe("hello");
    expect(await session.exit).toEqual({ status: 0 });
  });

  it("wait with stdin for the server's window", async () => {
    const { liar, session, numbers } = await started({ exec: "cat" }, 10);
    let written = false;
    const writing = session.stdin.getWriter().write(new Uint8Array(25));
    void writing.then(() => {
      written = true;
    });
    expect(ChannelData.decode(await liar.until(ChannelData.number)).data).toHaveLength(10);
    await turns();
    expect(written).toBe(false);
    liar.send(ChannelWindowAdjust.encode({ recipientChannel: numbers.ours, bytesToAdd: 100 }));
    await writing;
  });
});

describe("a session", () => {
  it("sends signals and sizes without want_reply (RFC 4254 sections 6.7 and 6.9)", async () => {
    const { liar, session } = await started({ exec: "top", pty: true });
    session.resize({ columns: 132, rows: 50 });
    session.signal("INT");
    session.signal("INFO@openssh.com");
    const requests = [await nextRequest(liar), await nextRequest(liar), await nextRequest(liar)];
    expect(requests.map(({ requestType, wantReply }) => [requestType, wantReply])).toEqual([
      ["window-change", false],
      ["signal", false],
      ["signal", false],
    ]);
    const [size, signal] = requests.map(({ specificData }) => specificData) as [Bytes, Bytes];
    expect(WindowChange.decode(size)).toEqual({ columns: 132, rows: 50, width: 0, height: 0 });
    expect(SignalRequest.decode(signal)).toEqual({ signal: "INT" });
    for (const bad of ["SIGINT", "int", ""]) expect(() => session.signal(bad)).toThrow("without SIG, such as TERM");
    expect(() => session.resize({ columns: 1.5, rows: 2 })).toThrow("expected columns to be an integer");
  });

  it("drops what is not read when it is closed, and keeps extending the window until the server's CLOSE", async () => {
    const { liar, session, numbers } = await started({ exec: "yes", window: 60_000 });
    liar.send(out(numbers, new Uint8Array(20_000)), err(numbers, new Uint8Array(20_000)));
    await turns();
    session.close();
    await liar.until(ChannelClose.number);
    liar.send(err(numbers, new Uint8Array(20_000)), close(numbers));
    await session.closed;
    expect(await session.exit).toEqual({ status: undefined });
    expect(await textOf(session.stderr)).toBe("");
  });
});
