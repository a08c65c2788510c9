/** Binary packet protocol, RFC 4253 section 6: writes payloads as bytes. @module */
import type { PacketSealer, Random } from "@postern/crypto";
import { type Bytes, concat, putUint32 } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import type { PacketTap } from "./tap.ts";

const nothing = /* @__PURE__ */ new Uint8Array(0);

/** Before the first NEWKEYS: no cipher, no MAC. */
const plain: PacketSealer = { blockSize: Limits.minBlock, tagSize: 0, lengthIsPadded: true, seal() {} };

const smallestBatch = 1024;
/** The size of a batch with data: the high water mark of output, and the packet that exceeds it. */
const dataBatch = Limits.outputHighWater + 2 * Limits.maxPacket;
const maxSpares = 2;

/** Frames and seals payloads into one growing batch. Its memory may be returned for reuse. */
export class PacketWriter {
  /** the sequence number of the next packet */
  sequence = 0;
  /** packets and bytes since the last new keys */
  packets = 0;
  bytes = 0;
  readonly #random: Random;
  readonly #tap: PacketTap | undefined;
  #sealer: PacketSealer = plain;
  #batch: Bytes = nothing;
  #used = 0;
  /** the first allocation for the next batch: the size of the last one */
  #expected = smallestBatch;
  /** memory of data batches that have been sent; to allocate such a buffer costs more than to fill it */
  readonly #spares: Bytes[] = [];
  /** memory of a batch of the smallest size, enough for single small messages */
  #smallSpare: Bytes | undefined;

  constructor(random: Random, tap?: PacketTap) {
    this.#random = random;
    this.#tap = tap;
  }

  /** Bytes that `take` would return. */
  get size(): number {
    return this.#used;
  }

  /** Appends the identification line, which is not a packet (copies). */
  sendRaw(bytes: Bytes): void {
    const at = this.#reserve(bytes.length);
    this.#batch.set(bytes, at);
  }

  /** Appends one packet. Its payload is passed in up to two parts (copies). */
  send(head: Bytes, body: Bytes = nothing): void {
    const { blockSize, tagSize, lengthIsPadded } = this.#sealer;
    const unit = Math.max(blockSize, Limits.minBlock);
    const size = head.length + body.length;
    const lead = (lengthIsPadded ? 5 : 1) + size;
    let padding = unit - (lead % unit);
    if (padding < Limits.minPadding) padding += unit;
    const at = this.#reserve(5 + size + padding + tagSize);
    const packet = this.#batch.subarray(at, this.#used);
    putUint32(packet, 0, 1 + size + padding);
    packet[4] = padding;
    packet.set(head, 5);
    packet.set(body, 5 + head.length);
    packet.set(this.#random(padding), 5 + size);
    const { sequence } = this;
    this.#sealer.seal(sequence, packet);
    this.sequence = (sequence + 1) >>> 0;
    this.packets++;
    this.bytes += packet.length;
    // Last, so that a tap that sends a message finds the writer ready.
    this.#tap?.packet({ direction: "sent", sequence, payload: concat(head, body), size: packet.length });
  }

  /** Returns all bytes since the last call. The caller owns them. */
  take(): Bytes | undefined {
    if (this.#used === 0) return undefined;
    const batch = this.#batch.subarray(0, this.#used);
    this.#expected = Math.max(smallestBatch, this.#used);
    // Frees the memory for data batches while little is sent.
    if (this.#used < Limits.maxPacket) this.#spares.length = 0;
    this.#batch = nothing;
    this.#used = 0;
    return batch;
  }

  /** Reuses the memory of a batch that `take` returned. Call it once the batch is sent. */
  reuse(batch: Bytes): void {
    const { buffer } = batch;
    if (buffer.byteLength === smallestBatch) this.#smallSpare = new Uint8Array(buffer);
    else if (buffer.byteLength === dataBatch && this.#spares.length < maxSpares)
      this.#spares.push(new Uint8Array(buffer));
  }

  /** Uses the new keys from the next packet on. */
  setSealer(sealer: PacketSealer, resetSequence: boolean): void {
    this.#sealer = sealer;
    this.packets = 0;
    this.bytes = 0;
    if (resetSequence) this.sequence = 0;
  }

  /** Extends the batch by `size` bytes, and returns the offset of the first. */
  #reserve(size: number): number {
    const at = this.#used;
    const end = at + size;
    if (end > this.#batch.length) {
      const larger = this.#room(Math.max(end, at === 0 ? this.#expected : 2 * this.#batch.length));
      larger.set(this.#batch.subarray(0, at));
      this.#batch = larger;
    }
    this.#used = end;
    return at;
  }

  #room(size: number): Bytes {
    if (size === smallestBatch && this.#smallSpare !== undefined) {
      const spare = this.#smallSpare;
      this.#smallSpare = undefined;
      return spare;
    }
    if (size <= Limits.maxPacket || size > dataBatch) return new Uint8Array(size);
    return this.#spares.pop() ?? new Uint8Array(dataBatch);
  }
}
