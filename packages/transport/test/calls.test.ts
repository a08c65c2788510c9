/** Calls of the program during and between key exchanges, and the limits that it sets. */
import { seededRandom } from "@postern/testkit";
import { KexInit, SshError, utf8 } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { describe, expect, it } from "vitest";
import { PacketWriter } from "../src/packet-writer.ts";
import { converse, events, failure, noRekey, pair, settle, withRaw } from "./raw-peer.ts";

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
});

describe("limitPeerRekeys", () => {
  it.each([0, 2])("allows the peer %i key exchanges, and ends the connection at the next one", (count) => {
    const { ours, peer } = withRaw("server");
    ours.limitPeerRekeys(count);
    for (let n = 0; n < count; n++) {
      peer.start();
      expect(converse(ours, peer).filter(({ type }) => type === "keys")).toHaveLength(1);
    }
    peer.start();
    expect(failure(ours, peer)).toEqual(expect.objectContaining({ code: "limit" }));
  });

  it("does not count the key exchanges that we begin", () => {
    const { ours, peer } = withRaw("server");
    ours.limitPeerRekeys(0);
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
