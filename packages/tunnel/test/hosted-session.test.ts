/** The options `session` and `service` of a tunnel, against a server that sends what the test scripts. */
import { none } from "@postern/auth";
import { turns } from "@postern/testkit";
import {
  type Bytes,
  ChannelClose,
  ChannelData,
  ChannelEof,
  ChannelExtendedData,
  ChannelOpen,
  ChannelOpenConfirmation,
  ChannelOpenFailure,
  ChannelRequest,
  ChannelWindowAdjust,
  EnvRequest,
  ExecRequest,
  ExitStatus,
  GlobalRequest,
  RequestSuccess,
  utf8,
} from "@postern/wire";
import { describe, expect, it, vi } from "vitest";
import { hostedService, ReverseTunnel, type TunnelOptions } from "../src/index.ts";
import {
  advance,
  createTunnel,
  denied,
  granted,
  nothing,
  onVirtualClock,
  opening,
  outcome,
  Rig,
  World,
} from "./world/index.ts";

onVirtualClock();

const session = { shell: true } as const;

/** A rig whose tunnel has requested a port and received its session's number. */
async function opened(options: Partial<TunnelOptions> = { session }) {
  const rig = await new Rig(options).logIn();
  const messages: string[] = [];
  const debug: string[] = [];
  rig.tunnel.addEventListener("message", ({ message }) => void messages.push(message));
  rig.tunnel.addEventListener("debug", ({ message }) => void debug.push(message));
  const listening = rig.tunnel.listen({ port: 80 });
  listening.catch(() => {});
  const { senderChannel: id } = ChannelOpen.decode(await rig.server.until(ChannelOpen.number));
  rig.server.send(confirmation(id));
  await turns();
  const out = (data: Bytes): Bytes => ChannelData.encode({ recipientChannel: id, data });
  const err = (data: Bytes): Bytes => ChannelExtendedData.encode({ recipientChannel: id, dataType: 1, data });
  return { rig, messages, debug, listening, id, out, err };
}

const confirmation = (recipientChannel: number): Bytes =>
  ChannelOpenConfirmation.encode({
    recipientChannel,
    senderChannel: 7,
    initialWindow: 100_000,
    maxPacket: 32_768,
    specificData: nothing,
  });

describe("the session of a tunnel", () => {
  it("follows the first request for a port at once, and waits for no answer", async () => {
    const rig = await new Rig({ session }).logIn();
    const first = rig.tunnel.listen({ port: 0 });
    const second = rig.tunnel.listen({ port: 81 });
    const sent: string[] = [];
    while (sent.length < 3) {
      const payload = await rig.server.next();
      if (payload?.[0] === GlobalRequest.number) sent.push(GlobalRequest.decode(payload).name);
      if (payload?.[0] === ChannelOpen.number) sent.push(ChannelOpen.decode(payload).channelType);
    }
    expect(sent).toEqual(["tcpip-forward", "session", "tcpip-forward"]);
    rig.server.send(granted(4711), granted());
    expect([(await first).port, (await second).port]).toEqual([4711, 81]);
  });

  it("is not opened before there is a request for a port", async () => {
    const rig = await new Rig({ session }).logIn();
    const opens = rig.server.until(ChannelOpen.number);
    await advance(1000);
    expect(await outcome(opens)).toBe("unsettled");
    void rig.tunnel.listen({ port: 80 }).catch(() => {});
    expect(ChannelOpen.decode(await opens).channelType).toBe("session");
  });

  it("sends its requests together, without asking for replies", async () => {
    const options = { exec: "http --domain x", env: { LANG: "C" }, pty: true as const };
    const { rig, listening } = await opened({ session: options });
    rig.server.send(granted());
    await listening;
    const requests = [];
    for (let count = 0; count < 3; count++)
      requests.push(ChannelRequest.decode(await rig.server.until(ChannelRequest.number)));
    expect(requests.map(({ requestType, wantReply }) => [requestType, wantReply])).toEqual([
      ["pty-req", false],
      ["env", false],
      ["exec", false],
    ]);
    expect(EnvRequest.decode(requests[1]?.specificData ?? nothing)).toEqual({ name: "LANG", value: "C" });
    expect(ExecRequest.decode(requests[2]?.specificData ?? nothing)).toEqual({ command: "http --domain x" });
  });

  it("is the only one of its connection, even after it has ended", async () => {
    const { rig, id, listening } = await opened();
    rig.server.send(granted(), ChannelClose.encode({ recipientChannel: id }));
    await listening;
    const second = rig.tunnel.listen({ port: 81 });
    expect((await rig.nextRequest()).port).toBe(81);
    rig.server.send(granted());
    await second;
    const opens = rig.server.until(ChannelOpen.number);
    await advance(1000);
    expect(await outcome(opens)).toBe("unsettled");
    expect(rig.tunnel.state).toBe("open");
  });

  it("is opened again on the next connection", async () => {
    const { rig, listening } = await opened({ session, reconnect: { intervalMs: 1000, backoff: { jitter: 0 } } });
    rig.server.send(granted());
    const listener = await listening;
    rig.server.abort();
    await advance(1000);
    await rig.server.letIn();
    await rig.nextRequest();
    const { channelType } = ChannelOpen.decode(await rig.server.until(ChannelOpen.number));
    expect(channelType).toBe("session");
    rig.server.send(granted());
    await turns();
    expect(listener.state).toBe("open");
  });

  it("ends with a status that the event debug reports, and leaves the tunnel open", async () => {
    const { rig, id, listening, debug } = await opened();
    const status = ChannelRequest.encode({
      recipientChannel: id,
      requestType: "exit-status",
      wantReply: false,
      specificData: ExitStatus.encode({ status: 1 }),
    });
    rig.server.send(
      granted(),
      status,
      ChannelEof.encode({ recipientChannel: id }),
      ChannelClose.encode({ recipientChannel: id }),
    );
    const listener = await listening;
    await turns();
    expect(debug).toEqual(["the session ended with status 1"]);
    expect([rig.tunnel.state, listener.state]).toEqual(["open", "open"]);
  });

  it("may be refused, which the event debug reports", async () => {
    const rig = await new Rig({ session }).logIn();
    const debug: string[] = [];
    rig.tunnel.addEventListener("debug", ({ message }) => void debug.push(message));
    const listening = rig.tunnel.listen({ port: 80 });
    const { senderChannel } = ChannelOpen.decode(await rig.server.until(ChannelOpen.number));
    const refusal = { recipientChannel: senderChannel, reason: 1, description: "no sessions", language: "" };
    rig.server.send(granted(), ChannelOpenFailure.encode(refusal));
    await listening;
    await turns();
    expect(debug).toEqual([expect.stringContaining('"no sessions" (reason 1)')]);
    expect(rig.tunnel.state).toBe("open");
  });

  it("does not keep a refusal of the port from its caller", async () => {
    const { rig, listening } = await opened();
    rig.server.send(denied);
    await expect(listening).rejects.toMatchObject({ code: "refused" });
    expect(rig.tunnel.state).toBe("open");
  });
});

describe("the event message", () => {
  it("has whole lines of stdout and stderr, decoded across chunks and printable", async () => {
    const { rig, messages, out, err } = await opened();
    const accented = utf8("caf\u00e9 \u001b[44mHTTP\u001b[0m: \u202e\r\nnext");
    rig.server.send(out(accented.subarray(0, 4)), err(utf8("warn")), out(accented.subarray(4)), err(utf8("ing\n\n")));
    await turns();
    expect(messages).toEqual(["caf\u00e9 HTTP: \\u{202e}", "warning"]);
    rig.server.send(out(utf8(" line\nand\tmore\nrest")));
    await turns();
    expect(messages.slice(2)).toEqual(["next line\nand\tmore"]);
  });

  it("has the last line at the end of the session, even without its end", async () => {
    const { rig, id, messages, out, err } = await opened();
    rig.server.send(out(utf8("bye")), err(utf8("error")), ChannelEof.encode({ recipientChannel: id }));
    await turns();
    expect(messages.toSorted()).toEqual(["bye", "error"]);
  });

  it("has a line that does not end in parts, so that little of it is held", async () => {
    const { rig, messages, out } = await opened();
    rig.server.send(out(utf8("x".repeat(4000))));
    await turns();
    expect(messages).toEqual([]);
    rig.server.send(out(utf8("x".repeat(1000))));
    await turns();
    expect(messages.map(({ length }) => length)).toEqual([5000]);
  });

  it("fires for as long as the server sends, within a window that is extended at once", async () => {
    const { rig, messages, out } = await opened();
    for (let round = 0; round < 100; round++) {
      rig.server.send(out(utf8(`${"y".repeat(30_000)}\n`)));
      await turns();
    }
    expect(messages).toHaveLength(100);
    expect(ChannelWindowAdjust.decode(await rig.server.until(ChannelWindowAdjust.number)).recipientChannel).toBe(7);
  });
});

describe("the option service", () => {
  const findUrl = (line: string): string | undefined => /^at (\S+)$/.exec(line)?.[1];

  it("finds the URL of a forwarding, and fires `forwarding` when it changes", async () => {
    const { rig, out, listening } = await opened({ session, service: hostedService({ findUrl }) });
    const urls: unknown[] = [];
    rig.tunnel.addEventListener("forwarding", ({ forwarding, state }) => void urls.push([state, forwarding.url]));
    // It may be printed before the answer.
    rig.server.send(out(utf8("at https://a.test\n")), granted());
    const listener = await listening;
    expect(listener.url).toBe("https://a.test");
    rig.server.send(out(utf8("at https://a.test\nnothing\n")), out(utf8("at https://b.test\nat https://c.test\n")));
    await turns();
    expect(urls).toEqual([
      ["open", "https://a.test"],
      ["open", "https://c.test"],
    ]);
  });

  it("forgets the URL with the connection, until it is printed again", async () => {
    const reconnect = { intervalMs: 1000, backoff: { jitter: 0 } };
    const { rig, out, listening } = await opened({ session, service: hostedService({ findUrl }), reconnect });
    rig.server.send(out(utf8("at https://a.test\n")), granted());
    const listener = await listening;
    rig.server.abort();
    await turns();
    expect([listener.state, listener.url]).toEqual(["pending", undefined]);
    await advance(1000);
    await rig.server.letIn();
    const { senderChannel } = ChannelOpen.decode(await rig.server.until(ChannelOpen.number));
    rig.server.send(granted(), confirmation(senderChannel));
    await turns();
    expect([listener.state, listener.url]).toEqual(["open", undefined]);
    rig.server.send(ChannelData.encode({ recipientChannel: senderChannel, data: utf8("at https://b.test\n") }));
    await turns();
    expect(listener.url).toBe("https://b.test");
  });

  it("ignores a URL that is longer than 2048 characters", async () => {
    const { rig, out, listening } = await opened({ session, service: hostedService({ findUrl }) });
    rig.server.send(granted(), out(utf8(`at https://${"x".repeat(2048)}\n`)));
    expect((await listening).url).toBeUndefined();
  });

  it("does not lose the session by an error of findUrl, which is reported", async () => {
    const error = new Error("no idea");
    const failing = (): string => {
      throw error;
    };
    const uncaught: unknown[] = [];
    const real = globalThis.queueMicrotask;
    const spy = vi.spyOn(globalThis, "queueMicrotask").mockImplementation((run) =>
      real(() => {
        try {
          run();
        } catch (thrown) {
          uncaught.push(thrown);
        }
      }),
    );
    const service = hostedService({ findUrl: failing });
    const { rig, out, messages, listening } = await opened({ session, service });
    rig.server.send(granted(), out(utf8("one line\n")));
    await listening;
    rig.server.send(out(utf8("another\n")));
    await turns();
    spy.mockRestore();
    expect(messages).toEqual(["one line", "another"]);
    expect(uncaught).toEqual([error, error]);
  });

  it("brings the default address and port of a request", async () => {
    const rig = await new Rig({ service: hostedService({ address: "", port: 80 }) }).logIn();
    const listening = rig.tunnel.listen({});
    expect(await rig.nextRequest()).toMatchObject({ address: "", port: 80 });
    rig.server.send(granted());
    expect((await listening).port).toBe(80);
    void rig.tunnel.listen({ address: "localhost", port: 81 }).catch(() => {});
    expect(await rig.nextRequest()).toMatchObject({ address: "localhost", port: 81 });
  });

  it("accepts an answer without a port, whose visitors are those of no other port", async () => {
    const rig = await new Rig({ service: hostedService({ omitsPort: true }) }).logIn();
    const listening = rig.tunnel.listen({ port: 0 });
    await rig.nextRequest();
    rig.server.send(granted());
    const unknown = await listening;
    expect([unknown.port, unknown.state]).toEqual([undefined, "open"]);
    const other = rig.tunnel.listen({ port: 22 });
    await rig.nextRequest();
    rig.server.send(granted());
    const known = await other;
    rig.visit("anything", 4711, 5);
    rig.visit("localhost", 22, 6);
    await rig.confirmation();
    await rig.confirmation();
    expect([unknown.stats().accepted, known.stats().accepted]).toEqual([1, 1]);
    await expect(unknown.probe()).rejects.toThrow("with a known port");
    const closing = unknown.close();
    expect(await rig.nextRequest()).toMatchObject({ name: "cancel-tcpip-forward", port: 0 });
    rig.server.send(granted());
    await closing;
    rig.server.send(opening("anything", 4711, 8));
    expect((await rig.refusal()).reason).toBe(1);
  });

  it("is needed for an answer without a port; a malformed port is an error in any case (RFC 4254 section 7.1)", async () => {
    for (const [service, answer] of [
      [undefined, granted()],
      [hostedService({ omitsPort: true }), RequestSuccess.encode({ specificData: new Uint8Array(3) })],
    ] as const) {
      const rig = await new Rig(service && { service }).logIn();
      const listening = rig.tunnel.listen({ port: 0 });
      await rig.nextRequest();
      rig.server.send(answer);
      await expect(listening).rejects.toMatchObject({ code: "protocol" });
    }
  });

  it("requests 0 again after a reconnection from a service that repeats ports", async () => {
    for (const [repeatsPort, expected] of [
      [true, 0],
      [false, 4711],
    ] as const) {
      const reconnect = { intervalMs: 1000, backoff: { jitter: 0 } };
      const rig = await new Rig({ service: hostedService({ repeatsPort }), reconnect }).logIn();
      const listening = rig.tunnel.listen({ port: 0 });
      await rig.nextRequest();
      rig.server.send(granted(4711));
      expect((await listening).port).toBe(4711);
      rig.server.abort();
      await advance(1000);
      await rig.server.letIn();
      expect((await rig.nextRequest()).port).toBe(expected);
    }
  });
});

describe("the options session and service", () => {
  it.each([
    [{ session: {} }, "expected one of exec, subsystem and shell: true, got none"],
    [{ session: { shell: true, exec: "ls" } }, "got 2"],
    [{ session: { command: "ls" } }, 'unknown option "command"'],
    [{ session: "shell" }, "expected options of session, got a string"],
    [{ service: { port: 80 } }, "expected service to be a function, got an object"],
  ])("are checked: %j", (options, message) => {
    expect(() => createTunnel(new World(), options as object)).toThrow(
      expect.objectContaining({ code: "misuse", message: expect.stringContaining(message) }),
    );
  });

  it.each([
    [{ port: 70_000 }, "expected port to be a port number"],
    [{ address: 1 }, "expected address to be a string"],
    [{ findUrl: "x" }, "expected findUrl to be a function"],
    [{ omitsPort: 1 }, "expected omitsPort to be a boolean"],
    [{ repeatsPort: 1 }, "expected repeatsPort to be a boolean"],
    [{ url: () => "" }, 'unknown option "url"'],
  ])("are checked by hostedService: %j", (profile, message) => {
    expect(() => hostedService(profile as object)).toThrow(
      expect.objectContaining({ code: "misuse", message: expect.stringContaining(message) }),
    );
  });

  it("need a platform that knows sessions, or a service", () => {
    const { dial, algorithms, random, sha256 } = new World();
    const options = { host: "host", user: "me", auth: [], hostKey: () => true, session: { shell: true as const } };
    expect(() => new ReverseTunnel(options, { dial, algorithms, random, sha256 })).toThrow("expected service to be");
    const service = hostedService();
    const tunnel = new ReverseTunnel({ ...options, auth: [none()], service }, { dial, algorithms, random, sha256 });
    expect(tunnel.state).toBe("new");
  });

  it("leave the port of a request required without a default", async () => {
    const tunnel = createTunnel(new World(), { session });
    await expect(tunnel.listen({})).rejects.toMatchObject({ code: "misuse" });
  });
});
