/** Binary packet protocol, RFC 4253 section 6: reads payloads from bytes. @module */
import type { PacketOpener } from "@postern/crypto";
import { type Bytes, getUint32, SshError } from "@postern/wire";
import * as Limits from "@postern/wire/limits";

const nothing = /* @__PURE__ */ new Uint8Array(0);
/** Large enough for most packets, so that a long stream allocates once. */
const smallestScratch = 1024;

/** Before the first NEWKEYS: no cipher, no MAC. */
const plain: PacketOpener = {
  blockSize: Limits.minBlock,
  tagSize: 0,
  lengthIsPadded: true,
  headerSize: 4,
  length: (_sequence, header) => getUint32(header, 0),
  open: (_sequence, packet) => packet.subarray(4),
};

/** Splits the incoming stream into packets. A packet inside one chunk is opened in place, without a copy. */
export class PacketReader {
  /** the sequence number of the next packet */
  sequence = 0;
  /** packets and bytes since the last new keys */
  packets = 0;
  bytes = 0;
  #opener: PacketOpener = plain;
  #chunk: Bytes = nothing;
  #at = 0;
  #queue: Bytes[] = [];
  /** a packet that spans chunks; its first `#filled` bytes have come */
  #partial: Bytes | undefined;
  #filled = 0;
  /** memory for packets that span chunks */
  #scratch: Bytes = nothing;
  /** the size of the whole packet, once its length is known */
  #size: number | undefined;

  /** Reads a chunk. The reader owns its memory, or borrows it until {@link keep} is called. */
  receive(chunk: Bytes): void {
    if (chunk.length > 0) this.#queue.push(chunk);
  }

  /** Copies the unread part of the last chunk. */
  keep(): void {
    const last = this.#queue.pop();
    if (last !== undefined) this.#queue.push(last.slice());
    else if (this.#at < this.#chunk.length) {
      this.#chunk = this.#chunk.slice(this.#at);
      this.#at = 0;
    }
  }

  /** Returns the next payload (view), or `undefined` if it needs more bytes. */
  next(): Bytes | undefined {
    if (this.#size === undefined) {
      const header = this.#gather(this.#opener.headerSize);
      if (header === undefined) return undefined;
      this.#size = this.#checkedSize(this.#opener.length(this.sequence, header));
    }
    const packet = this.#gather(this.#size);
    if (packet === undefined) return undefined;
    const spanned = this.#partial !== undefined;
    if (!spanned) this.#at += this.#size;
    this.#partial = undefined;
    this.#size = undefined;
    this.bytes += packet.length;
    this.packets++;
    const opened = this.#opener.open(this.sequence, packet);
    this.sequence = (this.sequence + 1) >>> 0;
    // OpenSSH PROTOCOL section 1.10: otherwise unauthenticated packets could set the sequence number to any value.
    if (this.sequence === 0 && this.#opener === plain) {
      throw new SshError("protocol", "expected fewer than 2^32 packets before the first NEWKEYS");
    }
    const payload = payloadOf(opened);
    // The payload outlives the packet. Few openers decrypt in place, so a copy is rare.
    if (opened.buffer !== packet.buffer) return payload;
    if (!spanned) return payload.slice();
    this.#scratch = nothing;
    return payload;
  }

  /** Uses the new keys from the next packet on. */
  setOpener(opener: PacketOpener, resetSequence: boolean): void {
    this.#opener = opener;
    this.packets = 0;
    this.bytes = 0;
    if (resetSequence) this.sequence = 0;
  }

  /** Returns the first `need` bytes of the current packet. If they are inside one chunk, they are not consumed yet. */
  #gather(need: number): Bytes | undefined {
    if (this.#at === this.#chunk.length && !this.#nextChunk()) {
      return this.#partial !== undefined && this.#filled >= need ? this.#partial : undefined;
    }
    if (this.#partial === undefined) {
      if (this.#chunk.length - this.#at >= need) return this.#chunk.subarray(this.#at, this.#at + need);
      this.#partial = this.#room(need);
      this.#filled = 0;
    } else if (this.#partial.length < need) {
      const larger = this.#room(need);
      if (larger.buffer !== this.#partial.buffer) larger.set(this.#partial.subarray(0, this.#filled));
      this.#partial = larger;
    }
    while (this.#filled < need && (this.#at < this.#chunk.length || this.#nextChunk())) {
      const part = this.#chunk.subarray(this.#at, this.#at + need - this.#filled);
      this.#partial.set(part, this.#filled);
      this.#filled += part.length;
      this.#at += part.length;
    }
    return this.#filled >= need ? this.#partial : undefined;
  }

  /** Returns memory for a packet that spans chunks. Bytes gathered before stay in place, unless it has to grow. */
  #room(need: number): Bytes {
    if (this.#scratch.length < need) this.#scratch = new Uint8Array(Math.max(need, smallestScratch));
    return this.#scratch.subarray(0, need);
  }

  #nextChunk(): boolean {
    const chunk = this.#queue.shift();
    this.#chunk = chunk ?? nothing;
    this.#at = 0;
    return chunk !== undefined;
  }

  #checkedSize(length: number): number {
    const { blockSize, lengthIsPadded, tagSize } = this.#opener;
    // Checked before any memory is allocated. The smallest packet has padding_length and four bytes of padding.
    if (length < 1 + Limits.minPadding || length > Limits.packetLength) {
      throw new SshError("protocol", `expected a packet_length of 5 to ${Limits.packetLength}, got ${length}`);
    }
    if (((lengthIsPadded ? 4 : 0) + length) % Math.max(blockSize, Limits.minBlock) !== 0) {
      throw new SshError(
        "protocol",
        `expected a packet padded to a multiple of ${blockSize}, got packet_length ${length}`,
      );
    }
    return 4 + length + tagSize;
  }
}

function payloadOf(opened: Bytes): Bytes {
  const padding = opened[0] ?? 0;
  const end = opened.length - padding;
  if (padding < Limits.minPadding || end <= 1) {
    throw new SshError(
      "protocol",
      "expected a payload and at least 4 bytes of padding, " +
        `got padding_length ${padding} in packet_length ${opened.length}`,
    );
  }
  return opened.subarray(1, end);
}
