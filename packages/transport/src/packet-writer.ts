/** Binary packet protocol, RFC 4253 section 6: payloads -> bytes. @module */
import type { PacketSealer, Random } from "@postern/crypto";
import { type Bytes, Limits, putUint32, RfcLimits } from "@postern/wire";

const nothing = /* @__PURE__ */ new Uint8Array(0);

/** Before the first NEWKEYS: no cipher, no MAC. */
const plain: PacketSealer = { blockSize: RfcLimits.minBlock, tagSize: 0, lengthIsPadded: true, seal() {} };

const smallestBatch = 1024;
/** What a batch grows to at once when it is to hold data: all that is taken for one write, and the packet that exceeds it. */
const dataBatch = Limits.outputHighWater + 2 * Limits.maxPacket;
const mostSpare = 2;

/** Frames and seals payloads into one growing batch, which the driver takes whole, and may give back when it is sent. */
export class PacketWriter {
  /** the sequence number of the next packet */
  sequence = 0;
  /** packets and bytes since the last new keys */
  packets = 0;
  bytes = 0;
  readonly #random: Random;
  #sealer: PacketSealer = plain;
  #batch: Bytes = nothing;
  #used = 0;
  /** the size of the last batch: a good guess for the next */
  #guess = smallestBatch;
  /** batches of data that have been sent: memory of that size costs more to get than to fill */
  readonly #spare: Bytes[] = [];
  /** one of the smallest size that has been sent: it is all that single small messages take */
  #smallSpare: Bytes | undefined;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Bytes that wait to be taken. */
  get size(): number {
    return this.#used;
  }

  /** Appends bytes that are no packet: the identification line (copies). */
  sendRaw(bytes: Bytes): void {
    const at = this.#reserve(bytes.length);
    this.#batch.set(bytes, at);
  }

  /** Appends one packet; the payload comes in up to two parts (copies). */
  send(head: Bytes, body: Bytes = nothing): void {
    const { blockSize, tagSize, lengthIsPadded } = this.#sealer;
    const unit = Math.max(blockSize, RfcLimits.minBlock);
    const size = head.length + body.length;
    const lead = (lengthIsPadded ? 5 : 1) + size;
    let padding = unit - (lead % unit);
    if (padding < RfcLimits.minPadding) padding += unit;
    const at = this.#reserve(5 + size + padding + tagSize);
    const packet = this.#batch.subarray(at, this.#used);
    putUint32(packet, 0, 1 + size + padding);
    packet[4] = padding;
    packet.set(head, 5);
    packet.set(body, 5 + head.length);
    packet.set(this.#random(padding), 5 + size);
    this.#sealer.seal(this.sequence, packet);
    this.sequence = (this.sequence + 1) >>> 0;
    this.packets++;
    this.bytes += packet.length;
  }

  /** Everything sent since the last call, once; ownership moves to the caller. */
  take(): Bytes | undefined {
    if (this.#used === 0) return undefined;
    const batch = this.#batch.subarray(0, this.#used);
    this.#guess = Math.max(smallestBatch, this.#used);
    // Nobody keeps memory for data while little is sent.
    if (this.#used < Limits.maxPacket) this.#spare.length = 0;
    this.#batch = nothing;
    this.#used = 0;
    return batch;
  }

  /** Takes back what `take` gave, once nobody reads it any more. */
  reuse(batch: Bytes): void {
    const { buffer } = batch;
    if (buffer.byteLength === smallestBatch) this.#smallSpare = new Uint8Array(buffer);
    else if (buffer.byteLength === dataBatch && this.#spare.length < mostSpare)
      this.#spare.push(new Uint8Array(buffer));
  }

  /** From the next packet on: our NEWKEYS has been sent. */
  setSealer(sealer: PacketSealer, resetSequence: boolean): void {
    this.#sealer = sealer;
    this.packets = 0;
    this.bytes = 0;
    if (resetSequence) this.sequence = 0;
  }

  /** Makes room at the end of the batch, and says where it begins. */
  #reserve(size: number): number {
    const at = this.#used;
    const end = at + size;
    if (end > this.#batch.length) {
      const larger = this.#room(Math.max(end, at === 0 ? this.#guess : 2 * this.#batch.length));
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
    return this.#spare.pop() ?? new Uint8Array(dataBatch);
  }
}
