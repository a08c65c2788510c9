/**
 * AES-GCM for short packets. `node:crypto` creates an object for each packet, which takes longer than encrypting a
 * kilobyte. Here one AES call encrypts the counter blocks of many packets in advance (NIST SP 800-38D section 7: they
 * do not depend on the packets), and GHASH runs in WebAssembly (ghash.wat). No branch and no address depends on a
 * secret.
 * @module
 */
import { createCipheriv } from "node:crypto";
import { type GhashExports, ghash } from "@postern/wasm";
import { type Bytes, getUint32, putUint32 } from "@postern/wire";

const block = 16;
const tagSize = 16;
/** bytes of the longest packet, with length and tag: eight blocks of plaintext */
export const longestShort: number = 4 + 8 * block + tagSize;
/** AES blocks of one packet: one masks the tag, the others are its key stream */
const blocksPerPacket = 1 + 8;
const packetsAhead = 16;

/** Offsets in the memory of ghash.wat. */
const hashAt = 16;
const dataAt = 32;

/**
 * AES-GCM with one key, for packets of up to {@link longestShort} bytes whose nonces count up (RFC 5647 section 7.1).
 */
export class ShortGcm {
  /** encrypts whole blocks */
  readonly #aes: (blocks: Bytes) => Bytes;
  readonly #hashKey: Bytes;
  readonly #exports: GhashExports;
  readonly #memory: Bytes;
  /** the nonce of the first packet in `#stream` */
  readonly #firstNonce: Bytes = new Uint8Array(12);
  #stream: Bytes = new Uint8Array(0);

  /** @throws Error if the platform lacks AES-ECB or WebAssembly */
  constructor(key: Bytes) {
    const { exports, memory } = ghash();
    this.#exports = exports;
    this.#memory = memory;
    const cipher = createCipheriv(`aes-${key.length * 8}-ecb`, key, null).setAutoPadding(false);
    this.#aes = (blocks) => cipher.update(blocks);
    this.#hashKey = Uint8Array.from(this.#aes(new Uint8Array(block)));
  }

  /** Encrypts the packet in place and writes its tag. */
  seal(nonce: Bytes, packet: Bytes): void {
    const at = this.#find(nonce);
    const end = packet.length - tagSize;
    this.#xor(at + block, packet, 4, packet, 4, end - 4);
    this.#hash(packet);
    this.#xor(at, this.#memory, hashAt, packet, end, tagSize);
    this.#wipe();
  }

  /** Returns the plaintext in a new array, or `undefined` if the tag is wrong. */
  open(nonce: Bytes, packet: Bytes): Bytes | undefined {
    const at = this.#find(nonce);
    const end = packet.length - tagSize;
    this.#hash(packet);
    let difference = 0;
    for (let i = 0; i < tagSize; i++) {
      difference |= (this.#memory[hashAt + i] ?? 0) ^ (this.#stream[at + i] ?? 0) ^ (packet[end + i] ?? 0);
    }
    this.#wipe();
    if (difference !== 0) return undefined;
    const text = new Uint8Array(end - 4);
    this.#xor(at + block, packet, 4, text, 0, text.length);
    return text;
  }

  #xor(at: number, from: Bytes, begin: number, to: Bytes, toAt: number, size: number): void {
    const stream = this.#stream;
    for (let i = 0; i < size; i++) to[toAt + i] = (from[begin + i] ?? 0) ^ (stream[at + i] ?? 0);
  }

  /**
   * Writes the hash of an encrypted packet to the memory. The packet's first four bytes, its length, are additional
   * data.
   */
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
    // The sizes of additional data and ciphertext in bits, as two 64-bit integers.
    memory[end + 7] = 32;
    putUint32(memory, end + 12, size * 8);
    this.#exports.ghash(end + block);
  }

  /** Removes the hash key and the hash from the memory, which all connections share: they would allow forgery. */
  #wipe(): void {
    for (let i = 0; i < dataAt; i++) this.#memory[i] = 0;
  }

  /** Returns the offset in `#stream` of a packet's tag mask, which its key stream follows. */
  #find(nonce: Bytes): number {
    const first = this.#firstNonce;
    const at = (getUint32(nonce, 8) - getUint32(first, 8)) * blocksPerPacket * block;
    const same = getUint32(nonce, 0) === getUint32(first, 0) && getUint32(nonce, 4) === getUint32(first, 4);
    if (same && at >= 0 && at < this.#stream.length) return at;
    this.#refill(nonce);
    return 0;
  }

  #refill(nonce: Bytes): void {
    const count = getUint32(nonce, 8);
    // A refill ends before the counter overflows 32 bits.
    const packets = Math.min(packetsAhead, 2 ** 32 - count);
    const blocks = new Uint8Array(packets * blocksPerPacket * block);
    for (let i = 0; i < packets * blocksPerPacket; i++) {
      const at = i * block;
      for (let j = 0; j < 8; j++) blocks[at + j] = nonce[j] ?? 0;
      putUint32(blocks, at + 8, count + Math.floor(i / blocksPerPacket));
      putUint32(blocks, at + 12, 1 + (i % blocksPerPacket));
    }
    this.#firstNonce.set(nonce);
    this.#stream = this.#aes(blocks);
  }
}
