/** Calls of the program during and between key exchanges, and the limits that it sets. */
import { seededRandom } from "@postern/testkit";
import { Debug, KexInit, SshError, utf8 } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { describe, expect, it } from "vitest";
import { PacketWriter } from "../src/packet-writer.ts";
import { classicalAlgorithms, converse, events, failure, machine, noRekey, pair, settle, withRaw } from "./raw-peer.ts";

describe("startRekey", () => {
  it("sends one KEXINIT, however often it is called (RFC 4253 section 9)", () => {
    const { ours, peer } = withRaw("client");
    const before = peer.numbers.filter((number) => number === KexInit.number).length;
    ours.startRekey();
    ours.startRekey();
    converse(ours, peer);
    expect(peer.numbers.filter((number) => number === KexInit.number).length - before).toBe(1);
  });

  it("has a deadline before the next tick, measured from the last one", () => {
    const { client } = pair();
    client.tick(5000);
    client.startRekey();
    expect(client.deadline).toBe(5000 + Limits.kexTimeoutMs);
    client.tick(9000);
    expect(client.deadline).toBe(9000 + Limits.kexTimeoutMs);
  });

  it("is not due again until its limits are reached with the new keys", () => {
    const { client, server } = pair({ rekey: { ...noRekey, ms: 1000 } });
    client.tick(1000);
    const [ofClient] = settle(client, server);
    expect(ofClient.filter(({ type }) => type === "keys")).toHaveLength(1);
    client.tick(1999);
    expect(client.takeOutput()).toBeUndefined();
    client.tick(2000);
    expect(client.takeOutput()).toBeDefined();
  });
});

describe("a message that is sent during a key exchange", () => {
  it("is held, and reports its sequence number once it is sent, if asked to", () => {
    const { client, server } = pair();
    const sent: number[] = [];
    const record = (sequence: number): void => void sent.push(sequence);
    client.startRekey();
    client.send(Uint8Array.of(90, 1), undefined, record);
    client.send(Uint8Array.of(90, 2));
    client.send(Uint8Array.of(90), Uint8Array.of(3), record);
    expect(sent).toEqual([]);
    const [, ofServer] = settle(client, server);
    const got = ofServer.flatMap((event) => (event.type === "payload" ? [event] : []));
    expect(got.map(({ payload }) => [...payload])).toEqual([
      [90, 1],
      [90, 2],
      [90, 3],
    ]);
    expect(sent).toEqual([got[0]?.sequence, got[2]?.sequence]);
  });

  it("is sent once, and not again after the next key exchange", () => {
    const { client, server } = pair();
    const sent: number[] = [];
    const received: number[] = [];
    for (const number of [1, 2]) {
      client.startRekey();
      client.send(Uint8Array.of(90, number), undefined, () => sent.push(number));
      const [, ofServer] = settle(client, server);
      received.push(...ofServer.flatMap((event) => (event.type === "payload" ? [event.payload[1] ?? 0] : [])));
    }
    expect(received).toEqual([1, 2]);
    expect(sent).toEqual([1, 2]);
  });
});

describe("a server that has to sign", () => {
  it("wants no input, and has no deadline, until `signed` is called", () => {
    const { client, server } = { client: machine("client"), server: machine("server") };
    server.receive(client.takeOutput() ?? expect.unreachable());
    events(server);
    client.receive(server.takeOutput() ?? expect.unreachable());
    events(client);
    server.receive(client.takeOutput() ?? expect.unreachable());
    expect([server.wantsInput, server.deadline]).toEqual([true, Limits.kexTimeoutMs]);
    const event = server.next();
    expect(event).toMatchObject({ type: "sign", algorithm: "ssh-ed25519" });
    expect([server.wantsInput, server.deadline, server.writable]).toEqual([false, undefined, false]);
    server.tick(10 * Limits.kexTimeoutMs);
    // A packet that comes now waits.
    expect(server.next()).toBeUndefined();
  });
});

describe("debug", () => {
  it("sends the text and whether it should be shown (RFC 4253 section 11.3)", () => {
    const { ours, peer } = withRaw("server");
    peer.got.length = 0;
    ours.debug("a forwarding is idle", true);
    ours.debug("x", false);
    converse(ours, peer);
    expect(peer.got.map((payload) => Debug.decode(payload))).toEqual([
      { alwaysDisplay: true, message: "a forwarding is idle", language: "" },
      { alwaysDisplay: false, message: "x", language: "" },
    ]);
  });
});

describe("memory that the caller reuses", () => {
  it("is that of a chunk after keepInput, although a packet in it is not complete", () => {
    const { client, server } = pair();
    for (const number of [1, 2]) server.send(Uint8Array.of(90, number));
    const stream = server.takeOutput() ?? expect.unreachable();
    const chunk = stream.slice(0, -3);
    client.receive(chunk);
    client.keepInput();
    chunk.fill(0xee);
    client.receive(stream.slice(-3));
    const payloads = events(client).flatMap((event) => (event.type === "payload" ? [[...event.payload]] : []));
    expect(payloads).toEqual([
      [90, 1],
      [90, 2],
    ]);
  });

  it("is that of output after reuseOutput", () => {
    const { client } = pair();
    client.send(Uint8Array.of(90, 1));
    const first = client.takeOutput() ?? expect.unreachable();
    client.reuseOutput(first);
    client.send(Uint8Array.of(90, 2));
    expect(client.takeOutput()?.buffer).toBe(first.buffer);
  });
});

describe("an error that is not an SshError, such as one of an algorithm", () => {
  it("ends the connection as a protocol error, and is its cause", () => {
    const cause = new RangeError("no such point");
    const [curve = expect.unreachable()] = classicalAlgorithms.kex;
    const respond = (): never => {
      throw cause;
    };
    const algorithms = { ...classicalAlgorithms, kex: [{ ...curve, respond }] };
    const [client, server] = [machine("client", { algorithms }), machine("server", { algorithms })];
    expect(() => settle(client, server)).toThrow(
      expect.objectContaining({ code: "protocol", cause, message: expect.stringContaining("no such point") }),
    );
  });
});

describe("limitRekeys", () => {
  it.each([0, 2])("allows the peer %i key exchanges, and ends the connection at the next one", (count) => {
    const { ours, peer } = withRaw("server");
    ours.limitRekeys(noRekey, count);
    for (let n = 0; n < count; n++) {
      peer.start();
      expect(converse(ours, peer).filter(({ type }) => type === "keys")).toHaveLength(1);
    }
    peer.start();
    expect(failure(ours, peer)).toEqual(expect.objectContaining({ code: "limit" }));
  });

  it("does not count the key exchanges that we begin", () => {
    const { ours, peer } = withRaw("server");
    ours.limitRekeys(noRekey, 0);
    ours.startRekey();
    expect(converse(ours, peer).filter(({ type }) => type === "keys")).toHaveLength(1);
  });
});

describe("a call in the wrong state", () => {
  it("is misuse, and does not end the connection", () => {
    const misuse = expect.objectContaining({ code: "misuse" });
    const { client, server } = pair();
    expect(() => client.verified(true)).toThrow(misuse);
    expect(() => client.acceptHostKey()).toThrow(misuse);
    expect(() => server.signed(new Uint8Array(1))).toThrow(misuse);
    client.send(Uint8Array.of(90, 1));
    expect(settle(client, server)[1].map(({ type }) => type)).toEqual(["payload"]);
  });

  it("throws the error that has ended the connection", () => {
    const { client } = pair();
    const ended = client.inputEnded();
    expect(ended).toEqual(expect.objectContaining({ code: "closed" }));
    expect(client.inputEnded()).toBe(ended);
    expect([client.wantsInput, client.writable]).toEqual([false, false]);
    for (const call of [() => client.tick(1), () => client.verified(true), () => events(client)]) {
      expect(call).toThrow(ended);
    }
    expect(ended).toBeInstanceOf(SshError);
  });
});

describe("the memory of a small batch", () => {
  it("is used again for the next one, and its old bytes are not sent", () => {
    const writer = new PacketWriter(seededRandom("pad"));
    writer.send(utf8("a first message"));
    const first = writer.take() ?? expect.unreachable();
    const { buffer } = first;
    writer.reuse(first.fill(0xee));
    writer.send(utf8("b"));
    const second = writer.take() ?? expect.unreachable();
    expect(second.buffer).toBe(buffer);
    const fresh = new PacketWriter(seededRandom("pad"));
    fresh.send(utf8("a first message"));
    fresh.take();
    fresh.send(utf8("b"));
    expect(second).toEqual(fresh.take());
    // It is lent once.
    writer.send(utf8("c"));
    expect(writer.take()?.buffer).not.toBe(buffer);
  });
});
