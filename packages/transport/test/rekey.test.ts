/** Rekey, RFC 4253 section 9, by either side at any time, while data is sent. */
import { modernAlgorithms } from "@postern/noble";
import { randomChunks, seededRandom } from "@postern/testkit";
import { Debug, ExtInfo, Ignore, KexInit, NewKeys, Ping, ServiceRequest, SshError, utf8 } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { describe, expect, it } from "vitest";
import type { TransportEvent } from "../src/transport-events.ts";
import type { TransportMachine } from "../src/transport-machine.ts";
import type { Role } from "../src/version-exchange.ts";
import {
  converse,
  events,
  failure,
  hostKey,
  noRekey,
  otherHostKey,
  pair,
  type RawPeer,
  settle,
  withRaw,
} from "./raw-peer.ts";

const roles: Role[] = ["client", "server"];
const ignore = Ignore.encode({ data: utf8("x") });
/** Returns a numbered message of the layers above. */
const data = (n: number): Uint8Array => Uint8Array.of(94, n >> 8, n & 0xff);
const dataOf = (received: readonly TransportEvent[]): number[] =>
  received.flatMap((event) =>
    event.type === "payload" && event.payload[0] === 94
      ? [((event.payload[1] ?? 0) << 8) | (event.payload[2] ?? 0)]
      : [],
  );
const count = (received: readonly TransportEvent[], type: TransportEvent["type"]): number =>
  received.filter((event) => event.type === type).length;

/** Sends numbered messages while the machine is writable. */
class Stream {
  sent = 0;
  readonly #machine: TransportMachine;
  constructor(of: TransportMachine) {
    this.#machine = of;
  }
  send(max: number): void {
    for (let n = 0; n < max && this.#machine.writable; n++) this.#machine.send(data(this.sent++));
  }
  get all(): number[] {
    return Array.from({ length: this.sent }, (_, n) => n);
  }
}

describe("a rekey", () => {
  const starts: [string, (client: TransportMachine, server: TransportMachine) => void][] = [
    ["the client", (client) => client.startRekey()],
    ["the server", (_client, server) => server.startRekey()],
    [
      "both at once",
      (client, server) => {
        for (const one of [client, server]) one.startRekey();
      },
    ],
  ];

  it.each(starts)("changes the keys and keeps the session identifier, started by %s", (_side, start) => {
    const { client, server } = pair();
    const id = client.sessionId;
    start(client, server);
    const [ofClient, ofServer] = settle(client, server);
    for (const received of [ofClient, ofServer])
      expect(received.filter(({ type }) => type === "keys")).toMatchObject([{ first: false }]);
    expect(client.sessionId).toEqual(id);
    expect(server.sessionId).toEqual(id);
    client.send(data(1));
    expect(dataOf(settle(client, server)[1])).toEqual([1]);
  });

  it.each(starts)("loses and repeats no data, started by %s at any point", (_side, start) => {
    for (const cut of [
      (bytes: Uint8Array) => [bytes],
      (bytes: Uint8Array) => randomChunks(bytes, seededRandom("rekey cuts")),
    ]) {
      for (let point = 0; point < 8; point++) {
        const { client, server } = pair();
        const [up, down] = [new Stream(client), new Stream(server)];
        const [ofClient, ofServer]: [TransportEvent[], TransportEvent[]] = [[], []];
        for (let turn = 0; turn < 12; turn++) {
          up.send(3);
          if (turn === point) start(client, server);
          down.send(2);
          // One direction at a time, so that messages are in flight when the KEXINITs cross.
          const [from, to, received] =
            turn % 2 === 0 ? ([client, server, ofServer] as const) : ([server, client, ofClient] as const);
          const output = from.takeOutput();
          for (const chunk of output === undefined ? [] : cut(output)) {
            to.receive(chunk);
            received.push(...events(to));
          }
        }
        const [restOfClient, restOfServer] = settle(client, server, cut);
        expect(dataOf([...ofServer, ...restOfServer]), `point ${point}`).toEqual(up.all);
        expect(dataOf([...ofClient, ...restOfClient]), `point ${point}`).toEqual(down.all);
        expect(count([...ofClient, ...restOfClient], "keys")).toBe(1);
        expect(up.sent).toBeGreaterThan(15);
      }
    }
  });

  it.each(modernAlgorithms.ciphers)("repeats under $name while both sides send data", (cipher) => {
    const algorithms = { ...modernAlgorithms, ciphers: [cipher] };
    const rekey = { ...noRekey, bytes: 2000 };
    const { client, server } = pair({ algorithms, rekey }, { algorithms, rekey });
    const [up, down] = [new Stream(client), new Stream(server)];
    const [ofClient, ofServer]: [TransportEvent[], TransportEvent[]] = [[], []];
    for (let turn = 0; turn < 60; turn++) {
      up.send(20);
      down.send(20);
      const [a, b] = settle(client, server);
      ofClient.push(...a);
      ofServer.push(...b);
    }
    expect(dataOf(ofServer)).toEqual(up.all);
    expect(dataOf(ofClient)).toEqual(down.all);
    expect(count(ofClient, "keys")).toBeGreaterThan(10);
    expect(count(ofServer, "keys")).toBe(count(ofClient, "keys"));
  });

  it("starts after the configured packets of either side, or the configured time", () => {
    for (const sender of ["client", "server"] as const) {
      const { client, server } = pair({ rekey: { ...noRekey, packets: 10 } });
      for (let n = 0; n < 10; n++) (sender === "client" ? client : server).send(data(n));
      expect(count(settle(client, server)[0], "keys"), sender).toBe(1);
    }
    const { client, server } = pair({ rekey: { ...noRekey, ms: 1000 } });
    expect(client.deadline).toBe(1000);
    client.tick(999);
    expect(settle(client, server)[0]).toEqual([]);
    client.tick(1000);
    expect(count(settle(client, server)[0], "keys")).toBe(1);
    expect(client.deadline).toBe(2000);
  });

  it("gets its full timeout after a long idle time", () => {
    for (const begin of [(one: TransportMachine) => one.startRekey(), (one: TransportMachine) => one.send(data(1))]) {
      const { client, server } = pair({ rekey: { ...noRekey, bytes: 1, ms: 1e12 } });
      settle(client, server);
      begin(client);
      const now = 100 * Limits.kexTimeoutMs;
      client.tick(now);
      expect(client.deadline).toBe(now + Limits.kexTimeoutMs);
      expect(() => client.tick(now + Limits.kexTimeoutMs)).toThrow(expect.objectContaining({ code: "timeout" }));
    }
  });

  it("rejects another host key, even with a valid signature", () => {
    const hostKeys = [hostKey()];
    const { client, server } = pair({}, { hostKeys });
    hostKeys[0] = otherHostKey();
    client.startRekey();
    expect(() => settle(client, server)).toThrow(
      expect.objectContaining({
        code: "hostkey",
        message: expect.stringContaining("host key of the first key exchange"),
      }),
    );
  });
});

describe.each(roles)("a %s during a rekey", (role) => {
  /** A rekey with our KEXINIT sent and the peer's not received. */
  const begun = (): { ours: TransportMachine; peer: RawPeer } => {
    const both = withRaw(role);
    both.ours.startRekey();
    return both;
  };

  it("holds messages, and sends them in order right after NEWKEYS (RFC 4253 section 7.1)", () => {
    const { ours, peer } = begun();
    expect(ours.writable).toBe(false);
    for (let n = 0; n < 5; n++) ours.send(data(n));
    peer.got.length = 0;
    const received = converse(ours, peer);
    expect(count(received, "resumed")).toBe(1);
    const behind = peer.numbers.lastIndexOf(NewKeys.number);
    expect(peer.numbers.slice(0, behind).filter((number) => number < 20 || number > 49)).toEqual([]);
    expect(peer.got.slice(behind + 1)).toEqual([0, 1, 2, 3, 4].map(data));
    expect(ours.writable).toBe(true);
  });

  it("limits the bytes it holds, and fails in next() instead of send()", () => {
    const { ours, peer } = begun();
    const block = new Uint8Array(Limits.heldOutput / 4 - Limits.heldOverhead);
    for (let n = 0; n < 4; n++) ours.send(block);
    expect(failure(ours, peer)).toMatch("no failure");
    ours.send(Uint8Array.of(93));
    expect(failure(ours, peer)).toMatchObject({
      code: "limit",
      message: expect.stringContaining(`${Limits.heldOutput} bytes`),
    });
  });

  it("charges an overhead for each message it holds", () => {
    const { ours, peer } = begun();
    const max = Math.floor(Limits.heldOutput / (1 + Limits.heldOverhead));
    for (let n = 0; n < max; n++) ours.send(Uint8Array.of(82));
    expect(failure(ours, peer)).toMatch("no failure");
    ours.send(Uint8Array.of(82));
    expect(failure(ours, peer)).toMatchObject({ code: "limit" });
  });

  it("accepts messages before the peer's KEXINIT, and rejects them after it", () => {
    const { ours, peer } = begun();
    peer.send(data(1), data(2), Ping.encode({ data: utf8("p") }));
    peer.start();
    expect(dataOf(receive(ours, peer))).toEqual([1, 2]);
    for (const late of [
      data(3),
      Ping.encode({ data: utf8("p") }),
      ServiceRequest.encode({ service: "x" }),
      ExtInfo.encode({ extensions: new Map() }),
      Uint8Array.of(200),
    ]) {
      const again = begun();
      again.peer.start();
      receive(again.ours, again.peer);
      expect(failure(again.ours, again.peer.send(late)), `message ${late[0]}`).toMatchObject({
        code: "protocol",
        message: expect.stringContaining("after KEXINIT"),
      });
    }
  });

  it("accepts IGNORE and DEBUG, which strict kex forbids in the first exchange only", () => {
    const { ours, peer } = begun();
    const debug = Debug.encode({ alwaysDisplay: true, message: "still here", language: "" });
    const send = peer.writer.send.bind(peer.writer);
    peer.writer.send = (head, body) => {
      send(ignore);
      send(head, body);
      // After NEWKEYS the peer sets its new keys only when this returns.
      if (head[0] !== NewKeys.number) send(debug);
    };
    peer.start();
    const received = converse(ours, peer);
    expect(count(received, "keys")).toBe(1);
    expect(count(received, "debug")).toBe(2);
  });

  it("rejects a second KEXINIT, and NEWKEYS that comes too early", () => {
    const { got } = withRaw(role).peer;
    const init = got.find(([number]) => number === KexInit.number) ?? expect.unreachable();
    for (const wrong of [init, NewKeys.encode({})]) {
      const { ours, peer } = begun();
      expect(failure(ours, peer.start().send(wrong)), `message ${wrong[0]}`).toMatchObject({ code: "protocol" });
    }
  });

  it("rejects NEWKEYS outside a key exchange", () => {
    const { ours, peer } = withRaw(role);
    expect(failure(ours, peer.send(NewKeys.encode({})))).toMatchObject({
      code: "protocol",
      message: expect.stringContaining("expected KEXINIT before message 21"),
    });
  });

  it("sends only key exchange messages between its KEXINIT and its NEWKEYS (RFC 4253 section 7.1)", () => {
    const { ours, peer } = begun();
    peer.got.length = 0;
    peer.send(Ping.encode({ data: utf8("before") }), Uint8Array.of(201));
    peer.start();
    ours.unimplemented(7);
    ours.send(data(1));
    converse(ours, peer);
    const [init, newKeys] = [peer.numbers.indexOf(KexInit.number), peer.numbers.indexOf(NewKeys.number)];
    expect(peer.numbers.slice(init, newKeys + 1).every((number) => number >= 20 && number < 50)).toBe(true);
    expect(new Set(peer.numbers.slice(newKeys + 1))).toEqual(new Set([193, 3, 94]));
  });

  it("keeps the deadline if startRekey() is called again", () => {
    const { ours } = withRaw(role);
    ours.startRekey();
    ours.tick(10);
    const { deadline } = ours;
    ours.startRekey();
    ours.tick(20);
    expect(ours.deadline).toBe(deadline);
  });

  it("starts no second exchange before the end of the first", () => {
    const { ours, peer } = withRaw(role);
    const inits = (): number => peer.numbers.filter((number) => number === KexInit.number).length;
    const before = inits();
    ours.startRekey();
    ours.startRekey();
    peer.receive(ours.takeOutput());
    ours.startRekey();
    converse(ours, peer);
    expect(inits()).toBe(before + 1);
    ours.startRekey();
    converse(ours, peer);
    expect(inits()).toBe(before + 2);
  });

  it("times out if the peer does not answer", () => {
    const { ours } = begun();
    ours.tick(5);
    expect(() => ours.tick(5 + Limits.kexTimeoutMs)).toThrow(SshError);
  });
});

/** Delivers the output of the peer, then returns our events. Our replies are not delivered. */
function receive(ours: TransportMachine, peer: RawPeer): TransportEvent[] {
  ours.receive(peer.writer.take() ?? expect.unreachable());
  peer.receive(ours.takeOutput());
  return events(ours);
}
