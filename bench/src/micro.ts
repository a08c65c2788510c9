/** Helper program: runs small parts a fixed number of times and prints JSON. `node micro.mjs [quick]` @module */
import { gcm } from "@noble/ciphers/aes.js";
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { ConnectionMachine } from "@postern/connection";
import type { DirectionKeys, PacketSealer } from "@postern/crypto";
import * as noble from "@postern/noble";
import * as node from "@postern/node";
import { chacha20Poly1305 } from "@postern/wasm";
import { type Bytes, ChannelData, ChannelOpen, ChannelRequest, ChannelWindowAdjust, utf8 } from "@postern/wire";

export interface MicroRow {
  readonly part: string;
  /** The input of one repetition. */
  readonly size: number;
  readonly implementation: string;
  /** Microseconds per operation, the median of the repetitions. */
  readonly us: number;
  readonly count: number;
}

const repetitions = 5;
const quick = process.argv[2] === "quick";
const rows: MicroRow[] = [];

ciphers();
nobleItself();
codec();
dispatch();
process.stdout.write(JSON.stringify(rows));

function ciphers(): void {
  for (const [implementation, { ciphers }] of Object.entries({
    "node:crypto": node.modernAlgorithms,
    noble: noble.modernAlgorithms,
    WebAssembly: { ciphers: [chacha20Poly1305] },
  })) {
    for (const cipher of ciphers) {
      for (const size of [64, 1_024, 32_768]) {
        const bytes = (implementation === "noble" ? 1 : 8) * (quick ? 250_000 : 1_000_000);
        const count = Math.max(8, Math.min(2_000, Math.round(bytes / size)));
        const keys = (): DirectionKeys => ({
          key: new Uint8Array(cipher.keySize).fill(1),
          iv: new Uint8Array(cipher.ivSize).fill(2),
          mac: undefined,
        });
        const sealer = cipher.sealer(keys());
        const plain = packet(size, sealer);
        let sequence = 0;
        // Sealing sealed bytes again costs the same.
        const target = plain.slice();
        measure(`seal ${cipher.name}`, size, implementation, count, () => {
          for (let i = 0; i < count; i++) sealer.seal(sequence++, target);
        });
        let opener = cipher.opener(keys());
        let sealed: Bytes[] = [];
        const prepare = (): void => {
          const other = cipher.sealer(keys());
          sealed = Array.from({ length: count }, () => plain.slice());
          for (const [i, one] of sealed.entries()) other.seal(i, one);
          opener = cipher.opener(keys());
        };
        const open = (): void => {
          for (const [i, one] of sealed.entries()) {
            opener.length(i, one.subarray(0, opener.headerSize));
            opener.open(i, one);
          }
        };
        measure(`open ${cipher.name}`, size, implementation, count, open, prepare);
      }
    }
  }
}

/** Measures noble's own AEADs for as many bytes. The rest of our time is our own code. */
function nobleItself(): void {
  const [key, nonce, head] = [new Uint8Array(32).fill(1), new Uint8Array(12).fill(2), new Uint8Array(4)];
  const aeads = {
    "chacha20-poly1305 (RFC 8439)": chacha20poly1305,
    "aes256-gcm": gcm,
  };
  for (const [name, aead] of Object.entries(aeads)) {
    for (const size of [64, 1_024, 32_768]) {
      const text = new Uint8Array(size + 16);
      const count = Math.max(8, Math.min(2_000, Math.round((quick ? 250_000 : 1_000_000) / size)));
      measure(`seal ${name}`, size, "noble itself", count, () => {
        for (let i = 0; i < count; i++) aead(key, nonce, head).encrypt(text);
      });
    }
  }
}

/** Returns a packet in the shape that the cipher requires. */
function packet(size: number, { blockSize, tagSize, lengthIsPadded }: PacketSealer): Bytes {
  const lead = lengthIsPadded ? 4 : 0;
  let padding = blockSize - ((lead + 1 + size) % blockSize);
  if (padding < 4) padding += blockSize;
  const length = 1 + size + padding;
  const bytes = new Uint8Array(4 + length + tagSize);
  new DataView(bytes.buffer).setUint32(0, length);
  bytes[4] = padding;
  return bytes;
}

function codec(): void {
  const count = quick ? 20_000 : 100_000;
  const both = <V>(name: string, table: { encode(values: V): Bytes; decode(bytes: Bytes): V }, values: V): void => {
    const bytes = table.encode(values);
    measure(`encode ${name}`, bytes.length, "wire", count, () => {
      for (let i = 0; i < count; i++) table.encode(values);
    });
    measure(`decode ${name}`, bytes.length, "wire", count, () => {
      for (let i = 0; i < count; i++) table.decode(bytes);
    });
  };
  both("CHANNEL_DATA", ChannelData, { recipientChannel: 1, data: new Uint8Array(64) });
  both("CHANNEL_WINDOW_ADJUST", ChannelWindowAdjust, { recipientChannel: 1, bytesToAdd: 65_536 });
  both("CHANNEL_REQUEST", ChannelRequest, {
    recipientChannel: 1,
    requestType: "keepalive@openssh.com",
    wantReply: true,
    specificData: new Uint8Array(0),
  });
}

/** Measures the way from a payload to an event and back to window credit, with a table of channels. */
function dispatch(): void {
  const count = quick ? 20_000 : 100_000;
  for (const channels of [1, 1_000]) {
    const machine = new ConnectionMachine({ sink: { writable: true, send: () => undefined }, now: 0 });
    for (let peer = 0; peer < channels; peer++) {
      machine.receive(
        ChannelOpen.encode({
          channelType: "forwarded-tcpip",
          senderChannel: peer,
          initialWindow: 0xffffffff,
          maxPacket: 32_768,
          specificData: utf8(""),
        }),
      );
      const event = machine.next();
      if (event?.type === "open") machine.confirmOpen(event.id);
    }
    const payloads = Array.from({ length: channels }, (_, recipientChannel) =>
      ChannelData.encode({ recipientChannel, data: new Uint8Array(1_024) }),
    );
    const block = new Uint8Array(1_024);
    measure(`CHANNEL_DATA in, of ${channels} channels`, 1_024, "connection", count, () => {
      for (let i = 0; i < count; i++) {
        machine.receive(payloads[i % channels] ?? block);
        const event = machine.next();
        if (event?.type !== "data") throw new Error("expected data");
        machine.consumed(event.id, event.data.length);
      }
    });
    measure(`CHANNEL_DATA out, of ${channels} channels`, 1_024, "connection", count, () => {
      for (let i = 0; i < count; i++) machine.write(i % channels, block);
    });
  }
}

function measure(
  part: string,
  size: number,
  implementation: string,
  count: number,
  run: () => void,
  prepare?: () => void,
): void {
  const times: number[] = [];
  // The first run triggers compilation.
  for (let i = 0; i <= repetitions; i++) {
    prepare?.();
    const began = performance.now();
    run();
    if (i > 0) times.push(((performance.now() - began) * 1000) / count);
  }
  times.sort((a, b) => a - b);
  rows.push({ part, size, implementation, us: times[repetitions >> 1] ?? Number.NaN, count });
}
