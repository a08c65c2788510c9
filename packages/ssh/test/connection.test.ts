/** A client and a server: channels, requests, and the end of a connection. */
import { noisyPipe, pipePair, seededRandom } from "@postern/testkit";
import {
  ChannelData,
  ChannelOpen,
  ChannelOpenConfirmation,
  GlobalRequest,
  OpenFailureReason,
  RequestFailure,
  RequestSuccess,
  SshError,
  utf8,
} from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { describe, expect, it } from "vitest";
import type { Channel, IncomingOpen, IncomingRequest, SshConnection } from "../src/index.ts";
import { loggedIn, nothing, recorder, rejection, turns } from "./helpers.ts";
import { world } from "./world.ts";

/** Reads a stream to its end. */
async function readAll(channel: Channel): Promise<Uint8Array> {
  return new Uint8Array(await new Response(channel.readable).arrayBuffer());
}
const echo = (open: IncomingOpen): void => {
  const channel = open.accept();
  channel.readable.pipeTo(channel.writable).catch(() => {});
};

describe("a client and a server", () => {
  it.each(["whole", "cut and delayed"])(
    "carry bytes both ways and half-close over a link whose chunks are %s",
    async (how) => {
      const random = seededRandom("noise");
      const [left, right] = pipePair();
      const pipes = how === "whole" ? [left, right] : [noisyPipe(left, random), noisyPipe(right, random)];
      const { client, server } = await world({
        server: { onChannelOpen: echo },
        pipes: pipes as [typeof left, typeof right],
      });
      expect(client.peer).toMatchObject({
        version: "SSH-2.0-Postern_0.1.0",
        lines: [],
        algorithms: { kex: "mlkem768x25519-sha256", hostKey: "ssh-ed25519", postQuantum: true },
      });
      expect(client.peer.sessionId).toEqual(server.peer.sessionId);
      expect([client.user, server.user]).toEqual(["test", "test"]);
      const channel = await client.openChannel("test", nothing);
      const sent = seededRandom("bytes")(300_000);
      const received = readAll(channel);
      const writer = channel.writable.getWriter();
      await writer.write(sent);
      await writer.close();
      expect(await received).toEqual(sent);
      await channel.closed;
      expect([client.channelCount, server.channelCount]).toEqual([0, 0]);
      await client.close();
      await client.closed;
      await expect(server.closed).rejects.toMatchObject({ code: "disconnected", reason: 11 });
    },
  );

  it("exchange keys while bytes flow, started by either side and by both at once", async () => {
    const { client, server } = await world({
      server: { onChannelOpen: echo, rekey: { bytes: 100_000 } },
      client: { rekey: { bytes: 70_000 } },
    });
    const channel = await client.openChannel("test", nothing);
    const received = readAll(channel);
    const sent = seededRandom("rekey")(500_000);
    const writer = channel.writable.getWriter();
    for (let at = 0; at < sent.length; at += 50_000) {
      await writer.write(sent.subarray(at, at + 50_000));
      if (at % 100_000 === 0) for (const side of [client, server]) side.rekey();
    }
    await writer.close();
    expect(await received).toEqual(sent);
    await client.close();
  });

  it("refuse channels, as an unknown type (RFC 4254 section 5.1), and requests without a handler", async () => {
    const { client, server } = await world();
    for (const side of [client, server]) {
      await expect(side.openChannel("test", nothing)).rejects.toMatchObject({
        code: "refused",
        reason: OpenFailureReason.UNKNOWN_CHANNEL_TYPE,
      });
      expect(await side.request("test", nothing)).toEqual({ ok: false, specificData: nothing });
    }
    await client.close();
  });

  it("answer a channel request without a handler with failure, because sshd probes clients this way", async () => {
    const { client } = await world({ server: { onChannelOpen: echo } });
    const channel = await client.openChannel("test", nothing);
    expect(await channel.request("keepalive@openssh.com", nothing)).toBe(false);
    await client.close();
  });

  it("let a program answer once, late and in any order", async () => {
    const requests: IncomingRequest[] = [];
    const onGlobalRequest = (request: IncomingRequest): void => {
      if (request.name === "keepalive@openssh.com") request.refuse();
      else requests.push(request);
    };
    const { client } = await world({ server: { onGlobalRequest } });
    const order: string[] = [];
    const asked = ["a", "b", "c"].map(async (name) => {
      const { specificData } = await client.request(name, utf8(name));
      order.push(`${name}:${String.fromCharCode(...specificData)}`);
    });
    await turns();
    expect(requests.map(({ name, wantReply }) => [name, wantReply])).toEqual([
      ["a", true],
      ["b", true],
      ["c", true],
    ]);
    for (const request of requests.toReversed()) request.accept(utf8(request.name));
    await Promise.all(asked);
    expect(order).toEqual(["a:a", "b:b", "c:c"]);
    expect(() => requests[0]?.refuse()).toThrow(expect.objectContaining({ code: "misuse" }));
    await client.close();
  });

  it("call onReply before they handle the next message", async () => {
    const { liar, client } = await loggedIn();
    const order: string[] = [];
    const asked = client.request("ask", nothing, { onReply: () => void order.push("reply") });
    await liar.until(GlobalRequest.number);
    liar.send(
      RequestSuccess.encode({ specificData: nothing }),
      GlobalRequest.encode({ name: "next", wantReply: true, specificData: nothing }),
    );
    await asked;
    expect(order).toEqual(["reply"]);
    const failing = client.request("ask", nothing, {
      onReply: () => {
        throw new TypeError("of the program");
      },
    });
    await liar.until(GlobalRequest.number);
    liar.send(RequestSuccess.encode({ specificData: nothing }));
    await expect(failing).rejects.toThrow("of the program");
    liar.abort();
    await expect(client.closed).rejects.toBeInstanceOf(SshError);
  });
});

describe("a channel", () => {
  const largest = Limits.packetLength - 265;

  it("advertises no larger packets than the transport accepts (RFC 4254 section 5.2)", async () => {
    const refused: unknown[] = [];
    const { client } = await world({
      server: {
        onChannelOpen(open) {
          for (const maxPacket of [0, 1.5, Number.NaN, largest + 1, 2 ** 32]) {
            expect(() => open.accept({ maxPacket })).toThrow("expected maxPacket to be an integer");
            refused.push(maxPacket);
          }
          expect(() => open.accept({ window: -1 })).toThrow("expected window to be an integer");
          open.accept({ maxPacket: largest });
        },
      },
    });
    for (const maxPacket of [0, largest + 1, 2 ** 32]) {
      expect(await rejection(client.openChannel("test", nothing, { maxPacket }))).toMatchObject({ code: "misuse" });
    }
    await client.openChannel("test", nothing);
    expect(refused).toHaveLength(5);
    await client.close();
  });

  it("accepts data of the largest packet that it may advertise", async () => {
    const { liar, client } = await loggedIn();
    const opening = client.openChannel("test", nothing, { maxPacket: largest });
    const { senderChannel, maxPacket } = ChannelOpen.decode(await liar.until(ChannelOpen.number));
    const limits = { initialWindow: 0, maxPacket: 32_768, specificData: nothing };
    liar.send(ChannelOpenConfirmation.encode({ recipientChannel: senderChannel, senderChannel: 7, ...limits }));
    const reader = (await opening).readable.getReader();
    liar.send(ChannelData.encode({ recipientChannel: senderChannel, data: new Uint8Array(maxPacket) }));
    expect((await reader.read()).value).toHaveLength(largest);
    liar.abort();
  });
});

describe("an aborted call", () => {
  it("sends nothing if aborted before it begins", async () => {
    const { liar, client } = await loggedIn();
    const signal = AbortSignal.abort(new Error("why"));
    for (const call of [client.openChannel("x", nothing, { signal }), client.request("x", nothing, { signal })]) {
      expect(await rejection(call)).toBe(signal.reason);
    }
    void client.request("marker", nothing).catch(() => {});
    expect(GlobalRequest.decode((await liar.next()) ?? nothing).name).toBe("marker");
    liar.abort();
  });

  it("rejects at once, and its late reply is not matched with another request", async () => {
    const { liar, client } = await loggedIn();
    const abort = new AbortController();
    const [first, second] = [
      client.request("first", nothing, { signal: abort.signal }),
      client.request("second", nothing),
    ];
    abort.abort();
    expect(await rejection(first)).toBe(abort.signal.reason);
    await liar.until(GlobalRequest.number);
    liar.send(RequestSuccess.encode({ specificData: utf8("first") }), RequestFailure.encode({}));
    expect(await second).toEqual({ ok: false, specificData: nothing });
    liar.abort();
  });

  it("drops the connection if it is close()", async () => {
    const { liar, client } = await loggedIn();
    const abort = new AbortController();
    const closing = client.close({ signal: abort.signal });
    await turns();
    abort.abort();
    expect(await rejection(closing)).toBe(abort.signal.reason);
    await client.closed;
    await liar.closed;
  });

  it("closes a channel that the server opens after the abort", async () => {
    const opens: IncomingOpen[] = [];
    const { client, server } = await world({ server: { onChannelOpen: (open) => void opens.push(open) } });
    const abort = new AbortController();
    const opening = client.openChannel("test", nothing, { signal: abort.signal });
    await turns();
    abort.abort();
    expect(await rejection(opening)).toBe(abort.signal.reason);
    expect(client.channelCount).toBe(1);
    const late = opens[0]?.accept() ?? expect.unreachable();
    await late.closed;
    expect([client.channelCount, server.channelCount]).toEqual([0, 0]);
    await client.close();
  });
});

describe("the end of a connection", () => {
  const waiters = (client: SshConnection, channel: Channel): Promise<unknown>[] => [
    client.closed,
    client.openChannel("test", nothing),
    client.request("test", nothing),
    channel.closed,
    channel.request("test", nothing),
    channel.readable.getReader().read(),
    channel.writable.getWriter().write(new Uint8Array(10_000_000)),
  ];
  /** A world in which every kind of call is pending. */
  const waiting = async (): Promise<{
    client: SshConnection;
    server: SshConnection;
    channel: Channel;
    all: Promise<PromiseSettledResult<unknown>[]>;
  }> => {
    // The first channel opens. Everything after it gets no answer.
    let opened = 0;
    const { client, server } = await world({
      server: {
        onChannelOpen: (open) => void (opened++ === 0 && open.accept({ onRequest() {} })),
        onGlobalRequest() {},
      },
    });
    const channel = await client.openChannel("test", nothing);
    const all = Promise.allSettled(waiters(client, channel));
    await turns();
    return { client, server, channel, all };
  };

  const ends: [string, string, (client: SshConnection, server: SshConnection) => void][] = [
    ["we close", "closed", (client) => void client.close()],
    ["we abort with an error", "limit", (client) => client.abort(new SshError("limit", "enough"))],
    ["the peer closes", "disconnected", (_client, server) => void server.close()],
    ["the peer aborts with an error", "disconnected", (_client, server) => server.abort(new SshError("protocol", "…"))],
  ];
  it.each(ends)("settles every pending call when %s, with the code %s", async (_how, code, end) => {
    const { client, server, channel, all } = await waiting();
    end(client, server);
    const [closed, ...rest] = await all;
    if (code === "closed") expect(closed?.status).toBe("fulfilled");
    else expect(closed).toMatchObject({ status: "rejected", reason: { code } });
    for (const one of rest) expect(one).toMatchObject({ status: "rejected", reason: { code } });
    // Later calls reject, too.
    const late = [client.openChannel("x", nothing), client.request("x", nothing), channel.request("x", nothing)];
    for (const one of await Promise.allSettled(late))
      expect(one).toMatchObject({ status: "rejected", reason: { code } });
    expect(channel.write(new Uint8Array(1))).toBe(false);
    client.rekey();
    client.abort(new SshError("limit", "again"));
    await client.close();
  });

  it("ignores late decisions about channels and requests", async () => {
    const opens: IncomingOpen[] = [];
    const requests: IncomingRequest[] = [];
    const { client, server } = await world({
      server: {
        onChannelOpen: (open) => void opens.push(open),
        onGlobalRequest: (request) => void requests.push(request),
      },
    });
    const asked = Promise.allSettled([
      client.openChannel("a", nothing),
      client.openChannel("b", nothing),
      client.request("c", nothing),
    ]);
    await turns();
    await client.close();
    await rejection(server.closed);
    await asked;
    expect(() => opens[0]?.accept()).toThrow(expect.objectContaining({ code: "disconnected" }));
    opens[1]?.refuse(1, "late");
    requests[0]?.accept();
  });

  it("is reported to a sink once, last, with the error", async () => {
    const { client, channel, all } = await waiting();
    const { client: other } = await world({ server: { onChannelOpen: (open) => void open.accept() } });
    const pushed = await other.openChannel("test", nothing);
    const sink = recorder();
    pushed.start(sink);
    await turns();
    await other.close();
    await turns();
    expect(sink.told).toEqual(["closed: the connection was closed"]);
    await client.close();
    await all;
    expect(channel.id).toBe(0);
  });
});
