/**
 * AES-GCM for short packets. `node:crypto` makes an object for each packet, and takes longer to make it than to encipher a kilobyte. Here
 * AES itself runs far ahead, over the counter blocks of many packets in one call (NIST SP 800-38D section 7: each is known before its packet),
 * and GHASH runs in WebAssembly, see ghash.wat. No branch and no address depends on a secret.
 * @module
 */
import { createCipheriv } from "node:crypto";
import { type GhashExports, ghash } from "@postern/wasm";
import { type Bytes, getUint32, putUint32 } from "@postern/wire";

const block = 16;
const tagSize = 16;
/** bytes of the longest packet, with length and tag: eight blocks of text */
export const longestShort: number = 4 + 8 * block + tagSize;
/** AES blocks for a packet: one to mask the tag, and the key stream */
const blocksEach = 1 + 8;
const packetsAhead = 16;

/** Where ghash.wat has things in its memory. */
const hashAt = 16;
const dataAt = 32;

/** AES-GCM under one key, for packets of up to {@link longestShort} bytes whose nonces count up (RFC 5647 section 7.1). */
export class ShortGcm {
  /** AES of whole blocks */
  readonly #aes: (blocks: Bytes) => Bytes;
  readonly #hashKey: Bytes;
  readonly #exports: GhashExports;
  readonly #memory: Bytes;
  /** the nonce of the first packet that is provided for */
  readonly #first: Bytes = new Uint8Array(12);
  #provided: Bytes = new Uint8Array(0);

  /** @throws Error where the platform has no AES of single blocks, or no WebAssembly */
  constructor(key: Bytes) {
    const { exports, memory } = ghash();
    this.#exports = exports;
    this.#memory = memory;
    const cipher = createCipheriv(`aes-${key.length * 8}-ecb`, key, null).setAutoPadding(false);
    this.#aes = (blocks) => cipher.update(blocks);
    this.#hashKey = Uint8Array.from(this.#aes(new Uint8Array(block)));
  }

  /** Enciphers the text in place and writes the tag. */
  seal(nonce: Bytes, packet: Bytes): void {
    const at = this.#find(nonce);
    const end = packet.length - tagSize;
    this.#xor(at + block, packet, 4, packet, 4, end - 4);
    this.#hash(packet);
    this.#xor(at, this.#memory, hashAt, packet, end, tagSize);
    this.#wipe();
  }

  /** The plaintext in a buffer of its own; undefined when the tag is wrong. */
  open(nonce: Bytes, packet: Bytes): Bytes | undefined {
    const at = this.#find(nonce);
    const end = packet.length - tagSize;
    this.#hash(packet);
    let difference = 0;
    for (let i = 0; i < tagSize; i++) {
      difference |= (this.#memory[hashAt + i] ?? 0) ^ (this.#provided[at + i] ?? 0) ^ (packet[end + i] ?? 0);
    }
    this.#wipe();
    if (difference !== 0) return undefined;
    const text = new Uint8Array(end - 4);
    this.#xor(at + block, packet, 4, text, 0, text.length);
    return text;
  }

  #xor(at: number, from: Bytes, begin: number, to: Bytes, toAt: number, size: number): void {
    const stream = this.#provided;
    for (let i = 0; i < size; i++) to[toAt + i] = (from[begin + i] ?? 0) ^ (stream[at + i] ?? 0);
  }

  /** Leaves the hash of an enciphered packet in the memory. Its first four bytes, the length, are additional data. */
  #hash(packet: Bytes): void {
    const memory = this.#memory;
    const size = packet.length - tagSize - 4;
    const end = dataAt + block + Math.ceil(size / block) * block;
    for (let i = 0; i < block; i++) {
      memory[i] = this.#hashKey[i] ?? 0;
      memory[dataAt + i] = i < 4 ? (packet[i] ?? 0) : 0;
      memory[end - block + i] = 0;
      memory[end + i] = 0;
    }
    for (let i = 0; i < size; i++) memory[dataAt + block + i] = packet[4 + i] ?? 0;
    // The sizes of both in bits, as two integers of 64 bits.
    memory[end + 7] = 32;
    putUint32(memory, end + 12, size * 8);
    this.#exports.ghash(end + block);
  }

  /** Of what would forge nothing stays in the memory, which all connections share. */
  #wipe(): void {
    for (let i = 0; i < dataAt; i++) this.#memory[i] = 0;
  }

  /** Where what a packet needs begins: the mask of its tag, then its key stream. */
  #find(nonce: Bytes): number {
    const first = this.#first;
    const at = (getUint32(nonce, 8) - getUint32(first, 8)) * blocksEach * block;
    const same = getUint32(nonce, 0) === getUint32(first, 0) && getUint32(nonce, 4) === getUint32(first, 4);
    if (same && at >= 0 && at < this.#provided.length) return at;
    this.#provide(nonce);
    return 0;
  }

  #provide(nonce: Bytes): void {
    const count = getUint32(nonce, 8);
    // What counts beyond 32 bits is left to the next time.
    const packets = Math.min(packetsAhead, 2 ** 32 - count);
    const blocks = new Uint8Array(packets * blocksEach * block);
    for (let i = 0; i < packets * blocksEach; i++) {
      const at = i * block;
      for (let j = 0; j < 8; j++) blocks[at + j] = nonce[j] ?? 0;
      putUint32(blocks, at + 8, count + Math.floor(i / blocksEach));
      putUint32(blocks, at + 12, 1 + (i % blocksEach));
    }
    this.#first.set(nonce);
    this.#provided = this.#aes(blocks);
  }
}
