/** The tap sees every packet of a connection, and changes none. */
import { aes128Ctr, aes128Gcm, compatibleAlgorithms, hmacSha2_256, modernAlgorithms } from "@postern/noble";
import { chunkings, seededRandom } from "@postern/testkit";
import { type Bytes, concat, Debug, KexInit, toHex, utf8 } from "@postern/wire";
import { describe, expect, it } from "vitest";
import type { PacketTap, TappedIdentification, TappedKeys, TappedPacket } from "../src/index.ts";
import type { TransportMachine } from "../src/transport-machine.ts";
import { classicalAlgorithms, events, machine, pair, settle, withRaw } from "./raw-peer.ts";

/** Records all that a tap sees. */
class Recorder implements Required<PacketTap> {
  readonly lines: TappedIdentification[] = [];
  readonly packets: TappedPacket[] = [];
  readonly keys: TappedKeys[] = [];
  packet(packet: TappedPacket): void {
    this.packets.push(packet);
  }
  identification(line: TappedIdentification): void {
    this.lines.push(line);
  }
  secretKeys(keys: TappedKeys): void {
    this.keys.push(keys);
  }
  /** The packets of one direction as text. */
  of(direction: string): string[] {
    const own = this.packets.filter((packet) => packet.direction === direction);
    return own.map(({ sequence, size, payload }) => `${sequence} ${size} ${toHex(payload)}`);
  }
  keysOf(direction: string): string[] {
    const own = this.keys.filter((keys) => keys.direction === direction);
    return own.map(({ key, iv, macKey, cipher, mac, sequence }) =>
      [cipher, mac, toHex(key), toHex(iv), macKey && toHex(macKey), sequence].join(" "),
    );
  }
}

const taps = (): [Recorder, Recorder] => [new Recorder(), new Recorder()];
const hello = Debug.encode({ alwaysDisplay: false, message: "hello", language: "" });

describe("a tap", () => {
  it("sees each packet with the same sequence number, size and payload on both sides, for every chunking", () => {
    for (const name of ["whole", "1 byte", "7 bytes", "random"]) {
      const cut = (bytes: Bytes): readonly Bytes[] => {
        const all = [...chunkings(bytes, seededRandom(name))];
        return all.find((one) => one.name === name)?.chunks ?? expect.unreachable();
      };
      const [ours, theirs] = taps();
      const client = machine("client", { tap: ours });
      const server = machine("server", { tap: theirs });
      settle(client, server, cut);
      client.send(hello);
      settle(client, server, cut);
      expect(ours.of("sent").length).toBe(4);
      expect(ours.of("sent")).toEqual(theirs.of("received"));
      expect(theirs.of("sent")).toEqual(ours.of("received"));
      expect(ours.packets.at(-1)).toMatchObject({ direction: "sent", sequence: 0, payload: hello });
    }
  });

  it("sees both identification lines (RFC 4253 section 4.2), and every byte on the wire", () => {
    const [ours, theirs] = taps();
    const client = machine("client", { tap: ours });
    const server = machine("server", { tap: theirs });
    const before = "Welcome\r\n";
    const sent = [client.takeOutput(), server.takeOutput()].map((bytes) => bytes ?? expect.unreachable());
    client.receive(utf8(before));
    client.receive(sent[1] ?? expect.unreachable());
    events(client);
    expect(ours.lines).toEqual([
      { direction: "sent", line: "SSH-2.0-client", size: 16 },
      { direction: "received", line: "SSH-2.0-server", size: before.length + 16 },
    ]);
    const size = (direction: string): number =>
      [...ours.lines, ...ours.packets].reduce((sum, one) => sum + (one.direction === direction ? one.size : 0), 0);
    expect(size("received")).toBe(before.length + (sent[1]?.length ?? 0));
    expect(size("sent")).toBe((sent[0]?.length ?? 0) + (client.takeOutput()?.length ?? 0));
  });

  it("shows the keys of each exchange, which are those of the other side and open the packets", () => {
    for (const cipher of compatibleAlgorithms.ciphers) {
      const [ours, theirs] = taps();
      const algorithms = { ...compatibleAlgorithms, ciphers: [cipher] };
      const { client, server } = pair({ tap: ours, algorithms }, { tap: theirs, algorithms });
      client.startRekey();
      settle(client, server);
      expect(ours.keys.length).toBe(4);
      expect(ours.keysOf("sent")).toEqual(theirs.keysOf("received"));
      expect(theirs.keysOf("sent")).toEqual(ours.keysOf("received"));
      expect(new Set(ours.keys.map(({ key }) => toHex(key))).size).toBe(4);
      // OpenSSH PROTOCOL section 1.10: strict kex starts again at 0.
      expect(ours.keys.map(({ sequence }) => sequence)).toEqual([0, 0, 0, 0]);
      const keys = ours.keys.filter(({ direction }) => direction === "sent")[1] ?? expect.unreachable();
      expect(keys.cipher).toBe(cipher.name);
      client.send(hello);
      const packet = client.takeOutput()?.slice() ?? expect.unreachable();
      const mac = compatibleAlgorithms.macs.find(({ name }) => name === keys.mac);
      expect(mac === undefined).toBe(cipher.isAead);
      const opener = cipher.opener({
        key: keys.key,
        iv: keys.iv,
        mac: mac && { algorithm: mac, key: keys.macKey ?? expect.unreachable() },
      });
      opener.length(keys.sequence, packet.subarray(0, opener.headerSize));
      expect(toHex(opener.open(keys.sequence, packet))).toContain(toHex(hello));
    }
  });

  it("sees sequence numbers that go on after NEWKEYS without strict kex (RFC 4253 section 6.4)", () => {
    for (const role of ["client", "server"] as const) {
      const tap = new Recorder();
      const { ours, peer } = withRaw(role, { tap }, true);
      ours.send(hello);
      peer.send(hello);
      ours.receive(peer.writer.take() ?? expect.unreachable());
      events(ours);
      for (const direction of ["sent", "received"]) {
        const own = tap.packets.filter((packet) => packet.direction === direction);
        expect(own.map(({ sequence }) => sequence)).toEqual([0, 1, 2, 3]);
      }
      expect(tap.keys.map(({ sequence }) => sequence)).toEqual([3, 3]);
    }
  });

  it("sees messages that waited for the end of a rekey when they are sent", () => {
    const [ours, theirs] = taps();
    const { client, server } = pair({ tap: ours }, { tap: theirs });
    client.startRekey();
    client.send(hello);
    expect(ours.packets.at(-1)?.payload[0]).toBe(KexInit.number);
    settle(client, server);
    expect(ours.of("sent")).toEqual(theirs.of("received"));
    expect(ours.packets.filter(({ direction }) => direction === "sent").at(-1)?.payload).toEqual(hello);
  });

  it("does not see a packet that fails its check", () => {
    const tap = new Recorder();
    const { client, server } = pair({}, { tap });
    const seen = tap.packets.length;
    client.send(hello);
    const packet = client.takeOutput()?.slice() ?? expect.unreachable();
    packet[10] = (packet[10] ?? 0) ^ 1;
    server.receive(packet);
    expect(() => server.next()).toThrow(expect.objectContaining({ code: "mac" }));
    expect(tap.packets.length).toBe(seen);
  });
});

/** Two machines exchange keys, a message and keys again. Returns the bytes of both, and the errors of taps. */
function traffic(tap: PacketTap | undefined): { readonly bytes: string; readonly errors: unknown[] } {
  const client = machine("client", { tap });
  const server = machine("server", { tap });
  const parts: Bytes[] = [];
  const errors: unknown[] = [];
  const exchange = (): void => {
    const both = settle(client, server, (bytes) => {
      parts.push(bytes.slice());
      return [bytes];
    });
    for (const event of both.flat()) if (event.type === "tapFailed") errors.push(event.error);
  };
  exchange();
  client.send(hello);
  exchange();
  server.startRekey();
  exchange();
  for (const one of [client, server] satisfies TransportMachine[]) expect(one.writable).toBe(true);
  return { bytes: toHex(concat(...parts)), errors };
}

describe("a tap changes nothing", () => {
  const plain = traffic(undefined);

  it("with the same seed, the same bytes are sent with a tap and without", () => {
    expect(traffic(new Recorder())).toEqual(plain);
    expect(plain.errors).toEqual([]);
  });

  it("if it overwrites payloads and keys", () => {
    const wipe = { packet: ({ payload }: TappedPacket) => payload.fill(0) };
    const tap = { ...wipe, secretKeys: ({ key, iv }: TappedKeys) => void [key.fill(0), iv.fill(0)] };
    expect(traffic(tap).bytes).toBe(plain.bytes);
  });

  it.each([
    ["with an IV", { ...classicalAlgorithms, ciphers: [aes128Gcm] }],
    ["with a MAC", { ...classicalAlgorithms, ciphers: [aes128Ctr], macs: [hmacSha2_256] }],
  ])("if it overwrites the keys of a cipher %s", (_kind, algorithms) => {
    const secretKeys = ({ key, iv, macKey }: TappedKeys): void => {
      for (const bytes of [key, iv, macKey]) bytes?.fill(0);
    };
    const tap = { packet: () => {}, secretKeys };
    const { client, server } = pair({ algorithms, tap }, { algorithms });
    client.send(hello);
    server.send(hello);
    for (const received of settle(client, server)) expect(received.map(({ type }) => type)).toEqual(["debug"]);
  });

  it("if it has no method but `packet`, which is no error", () => {
    expect(traffic({ packet: () => {} })).toEqual(plain);
  });

  it.each(["packet", "identification", "secretKeys"] as const)("if %s throws; each error is an event", (name) => {
    const recorder = new Recorder();
    const error = new Error("no room in the log");
    let thrown = 0;
    const tap: Required<PacketTap> = {
      packet: (packet) => recorder.packet(packet),
      identification: (line) => recorder.identification(line),
      secretKeys: (keys) => recorder.secretKeys(keys),
      [name]: () => {
        thrown++;
        throw error;
      },
    };
    const { bytes, errors } = traffic(tap);
    expect(bytes).toBe(plain.bytes);
    expect(thrown).toBeGreaterThan(1);
    expect(errors).toEqual(Array.from({ length: thrown }, () => error));
  });

  it("if it sends a message itself: that follows the packet it was called for", () => {
    const seen = new Recorder();
    let client: TransportMachine | undefined;
    let isSent = false;
    const tap: PacketTap = {
      packet({ direction, payload }) {
        if (direction !== "sent" || payload[0] !== Debug.number || isSent) return;
        isSent = true;
        client?.send(Debug.encode({ alwaysDisplay: false, message: "from the tap", language: "" }));
      },
    };
    const both = pair({ tap }, { tap: seen });
    client = both.client;
    client.send(hello);
    settle(client, both.server);
    const last = seen.packets.slice(-2);
    expect(last.map(({ sequence, payload }) => [sequence, Debug.decode(payload).message])).toEqual([
      [0, "hello"],
      [1, "from the tap"],
    ]);
  });

  it("shows no keys to a tap without secretKeys", () => {
    const packets: TappedPacket[] = [];
    const { client } = pair({ tap: { packet: (packet) => packets.push(packet) }, algorithms: modernAlgorithms });
    expect(client.writable).toBe(true);
    for (const packet of packets) expect(Object.keys(packet)).toEqual(["direction", "sequence", "payload", "size"]);
  });
});
