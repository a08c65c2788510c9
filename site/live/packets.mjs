/** The list of packets of one connection, decoded. Live connections and replays fill it. @module */
import { createPacketDecoder } from "@postern/web";

/**
 * @typedef {object} Entry a packet or an identification line
 * @property {number} number its place in the list, from 1
 * @property {"client" | "server"} from
 * @property {number | undefined} sequence `undefined` for an identification line
 * @property {number} size on the wire
 * @property {Uint8Array} payload in plain text
 * @property {Uint8Array} wire the bytes that went over the pipe
 * @property {import("@postern/web").PacketDescription | undefined} description
 * @property {string | undefined} line the identification line
 * @property {import("@postern/web").TappedKeys | undefined} keys those that sealed it
 * @property {"in flight" | "delivered" | "broken" | "lost"} state
 * @property {number | undefined} broken the offset of the byte that was changed on the way
 */

const nothing = new Uint8Array(0);

/** Lists packets in the order in which they were sent. `role` is the side from which directions are named. */
export class PacketList {
  /** @type {Entry[]} */
  entries = [];
  /** the keys in use, by the side that sends with them @type {Map<string, import("@postern/web").TappedKeys>} */
  keys = new Map();
  #decoder = createPacketDecoder();
  #role;

  constructor(role) {
    this.#role = role;
  }

  /** @returns {Entry} */
  addLine(from, { line, size }) {
    return this.#add({ from, line, size });
  }

  /** @returns {Entry} */
  addPacket(from, { sequence, payload, size }) {
    const description = this.#decoder.describe(from === this.#role ? "sent" : "received", payload);
    return this.#add({ from, sequence, payload, size, description, keys: this.keys.get(from) });
  }

  addKeys(from, keys) {
    this.keys.set(from, keys);
  }

  /** The numbers of a channel as `client` and `server`, or the windows. */
  bySide(values) {
    if (values === undefined) return undefined;
    const { ours, theirs } = values;
    return this.#role === "client" ? { client: ours, server: theirs } : { client: theirs, server: ours };
  }

  #add(given) {
    const entry = {
      number: this.entries.length + 1,
      sequence: undefined,
      payload: nothing,
      wire: nothing,
      description: undefined,
      line: undefined,
      keys: undefined,
      state: "in flight",
      broken: undefined,
      ...given,
    };
    this.entries.push(entry);
    return entry;
  }
}

/** The byte to change so that the receiver must notice. */
export function byteToBreak({ keys, payload, size, line }) {
  // In the middle of the version, of the encrypted packet, or of the unencrypted message: its cookie or its key. The
  // padding of an unencrypted packet is not protected, so it is no choice.
  if (line !== undefined) return "SSH-".length;
  return keys === undefined ? Math.min(10, 4 + payload.length) : Math.floor(size / 2);
}

/** Returns a copy with one bit of one byte inverted. */
export function withBrokenByte(bytes, offset) {
  const copy = bytes.slice();
  copy[offset] = (copy[offset] ?? 0) ^ 1;
  return copy;
}
