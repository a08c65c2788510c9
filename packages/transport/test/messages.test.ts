/** The messages 1 to 19, RFC 4253 section 11, and a machine after an error. */
import { compatibleAlgorithms, modernAlgorithms } from "@postern/noble";
import { allFlips, sampledFlips, seededRandom } from "@postern/testkit";
import { Debug, Disconnect, Ignore, Ping, Pong, SshError, Unimplemented, utf8 } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { describe, expect, it } from "vitest";
import type { Role } from "../src/version-exchange.ts";
import { converse, events, failure, machine, pair, settle, withRaw } from "./raw-peer.ts";

const roles: Role[] = ["client", "server"];
const unknown = [8, 19, 128, 191, 193, 255];

describe.each(roles)("a %s", (role) => {
  it("answers PING with PONG and the same data (OpenSSH PROTOCOL section 1.9)", () => {
    const { ours, peer } = withRaw(role);
    for (const size of [0, 1, 1000]) peer.send(Ping.encode({ data: seededRandom("ping")(size) }));
    peer.got.length = 0;
    expect(converse(ours, peer)).toEqual([]);
    expect(peer.got).toEqual([0, 1, 1000].map((size) => Pong.encode({ data: seededRandom("ping")(size) })));
  });

  it("ignores IGNORE, and emits events for DEBUG and UNIMPLEMENTED", () => {
    const { ours, peer } = withRaw(role);
    peer.send(
      Ignore.encode({ data: utf8("x") }),
      Debug.encode({ alwaysDisplay: true, message: "words", language: "" }),
      Unimplemented.encode({ sequence: 7 }),
    );
    expect(converse(ours, peer)).toEqual([
      { type: "debug", message: "words", alwaysDisplay: true },
      { type: "unimplemented", sequence: 7 },
    ]);
  });

  it("emits unknown messages with the sequence number for UNIMPLEMENTED (RFC 4253 section 11.4)", () => {
    const { ours, peer } = withRaw(role);
    const first = peer.writer.sequence;
    for (const number of unknown) peer.send(Uint8Array.of(number));
    const received = converse(ours, peer);
    expect(received).toEqual(
      unknown.map((number, at) => ({ type: "payload", payload: Uint8Array.of(number), sequence: first + at })),
    );
    peer.got.length = 0;
    ours.unimplemented(first + 3);
    converse(ours, peer);
    expect(peer.got).toEqual([Unimplemented.encode({ sequence: first + 3 })]);
  });

  it("ignores messages after DISCONNECT, and sends nothing after its own (RFC 4253 section 11.1)", () => {
    const { ours, peer } = withRaw(role);
    peer.send(
      Disconnect.encode({ reason: 11, description: "bye", language: "" }),
      Uint8Array.of(94),
      Ping.encode({ data: utf8("x") }),
    );
    peer.got.length = 0;
    expect(converse(ours, peer)).toEqual([{ type: "disconnect", reason: 11, description: "bye" }]);
    ours.send(Uint8Array.of(94));
    converse(ours, peer);
    expect(peer.got).toEqual([]);

    const leaving = withRaw(role);
    leaving.ours.disconnect(11, "closed by the program");
    leaving.ours.send(Uint8Array.of(94));
    leaving.ours.disconnect(2, "again");
    leaving.peer.got.length = 0;
    converse(leaving.ours, leaving.peer);
    expect(leaving.peer.got).toEqual([
      Disconnect.encode({ reason: 11, description: "closed by the program", language: "" }),
    ]);
  });

  it("sends DISCONNECT during a key exchange", () => {
    const { ours, peer } = withRaw(role);
    ours.startRekey();
    ours.disconnect(2, "no more");
    peer.got.length = 0;
    converse(ours, peer);
    expect(peer.numbers).toEqual([20, 1]);
  });

  it("rejects a malformed message, and throws the same error on every later call", () => {
    const { ours, peer } = withRaw(role);
    const first = failure(ours, peer.send(Uint8Array.of(Debug.number, 1)));
    expect(first).toMatchObject({ code: "protocol", message: "DEBUG: expected 4 bytes, got 0" });
    expect(failure(ours, peer.send(Ping.encode({ data: utf8("x") })))).toBe(first);
    expect([ours.wantsInput, ours.writable]).toEqual([false, false]);
    expect(ours.inputEnded()).toBe(first);
    expect(() => ours.tick(1e12)).toThrow(first as SshError);
  });

  it("reports an end of the connection without DISCONNECT", () => {
    const { ours } = withRaw(role);
    expect(ours.inputEnded()).toMatchObject({
      code: "closed",
      message: "the peer closed the connection without a reason",
    });
  });
});

describe("an altered packet", () => {
  it.each(modernAlgorithms.ciphers)("fails the connection under $name, and emits no payload", (cipher) => {
    const algorithms = { ...modernAlgorithms, ciphers: [cipher] };
    const recorded = (): { client: ReturnType<typeof machine>; packet: Uint8Array } => {
      const { client, server } = pair({ algorithms }, { algorithms });
      server.send(Uint8Array.of(94, 1, 2, 3));
      return { client, packet: server.takeOutput() ?? expect.unreachable() };
    };
    const { packet } = recorded();
    for (const { bit, bytes } of sampledFlips(packet, 40, seededRandom(cipher.name))) {
      const { client } = recorded();
      client.receive(bytes);
      client.receive(new Uint8Array(Limits.packetLength + 64));
      expect(() => events(client), `bit ${bit}`).toThrow(SshError);
    }
  });

  it("emits nothing for a truncated packet", () => {
    const { client, server } = pair();
    server.send(Uint8Array.of(94, 1, 2, 3));
    const packet = server.takeOutput() ?? expect.unreachable();
    client.receive(packet.slice(0, -1));
    expect(events(client)).toEqual([]);
    expect(client.inputEnded()).toMatchObject({ code: "closed" });
  });

  it("fails the exchange before the first keys, unless only padding changed", () => {
    const flights: Uint8Array[] = [];
    const [client, server] = [machine("client"), machine("server")];
    server.receive(client.takeOutput() ?? expect.unreachable());
    flights.push(server.takeOutput() ?? expect.unreachable());
    const kexInit = flights[0] ?? expect.unreachable();
    for (const { bit, bytes } of [...allFlips(kexInit)].filter(({ bit }) => bit % 37 === 0)) {
      const [again, other] = [machine("client"), machine("server")];
      other.receive(again.takeOutput() ?? expect.unreachable());
      other.takeOutput();
      again.receive(bytes);
      try {
        events(again);
        settle(again, other);
      } catch (error) {
        expect(error, `bit ${bit}`).toBeInstanceOf(SshError);
        continue;
      }
      // The exchange hash covers all but the packet header and the padding. A longer length only waits for more bytes.
      const intact = bit >= 8 * (kexInit.length - 12) || bit < 8 * (kexInit.indexOf(10) + 6);
      expect(intact || again.sessionId === undefined, `bit ${bit}`).toBe(true);
    }
  });
});

describe("sealing", () => {
  it("draws randomness in the documented order: cookie, ephemeral key, padding per packet", () => {
    const drawn: number[] = [];
    const random = seededRandom("order");
    const logged = (size: number): Uint8Array => {
      drawn.push(size);
      return random(size);
    };
    settle(machine("client", { random: logged, algorithms: compatibleAlgorithms }), machine("server"));
    // KEXINIT: cookie and padding; KEX_ECDH_INIT: the key and padding; NEWKEYS: padding.
    expect(drawn[0]).toBe(16);
    expect(drawn[2]).toBe(32);
    expect(drawn).toHaveLength(5);
    for (const at of [1, 3, 4]) expect(drawn[at]).toBeLessThan(12);
  });

  it("writes the same bytes for the same seed and inputs", () => {
    const run = (): Uint8Array[] => {
      const flights: Uint8Array[] = [];
      settle(machine("client"), machine("server"), (bytes) => {
        flights.push(bytes.slice());
        return [bytes];
      });
      return flights;
    };
    expect(run()).toEqual(run());
  });
});
