/** Packets of RFC 4253 section 6: none, then aes128-ctr with hmac-sha2-256. @module */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto";
import { uint32 } from "./bytes.mjs";

const maxPacket = 300_000;

export class PacketWriter {
  /** the sequence number of the next packet */
  sequence = 0;
  #cipher;
  #mac = Buffer.alloc(0);

  setKeys({ key, iv, mac }, reset) {
    this.#cipher = createCipheriv("aes-128-ctr", key, iv);
    this.#mac = mac;
    if (reset) this.sequence = 0;
  }

  seal(payload) {
    const block = this.#cipher === undefined ? 8 : 16;
    let padding = block - ((5 + payload.length) % block);
    if (padding < 4) padding += block;
    const head = Buffer.concat([uint32(1 + payload.length + padding), Buffer.of(padding)]);
    const packet = Buffer.concat([head, payload, randomBytes(padding)]);
    const sequence = uint32(this.sequence);
    this.sequence = (this.sequence + 1) >>> 0;
    if (this.#cipher === undefined) return packet;
    const mac = createHmac("sha256", this.#mac).update(sequence).update(packet).digest();
    return Buffer.concat([this.#cipher.update(packet), mac]);
  }
}

export class PacketReader {
  /** the sequence number of the next packet */
  sequence = 0;
  #buffer = Buffer.alloc(0);
  #cipher;
  #mac = Buffer.alloc(0);
  /** the first block of the next packet, once it is decrypted */
  #first = Buffer.alloc(0);

  setKeys({ key, iv, mac }, reset) {
    this.#cipher = createDecipheriv("aes-128-ctr", key, iv);
    this.#mac = mac;
    if (reset) this.sequence = 0;
  }

  push(chunk) {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
  }

  /** Returns the identification line without CR LF; skips the lines before it. */
  version() {
    for (;;) {
      const end = this.#buffer.indexOf(10);
      if (end < 0) return undefined;
      const line = this.#buffer.toString("latin1", 0, end).replace(/\r$/, "");
      this.#buffer = this.#buffer.subarray(end + 1);
      if (line.startsWith("SSH-")) return line;
    }
  }

  /** Returns the next payload, if it has arrived. */
  next() {
    const block = this.#cipher === undefined ? 8 : 16;
    if (this.#first.length === 0) {
      if (this.#buffer.length < block) return undefined;
      this.#first = this.#open(this.#buffer.subarray(0, block));
    }
    const length = this.#first.readUInt32BE();
    if (length > maxPacket) throw new Error(`expected a packet of at most ${maxPacket} bytes, got ${length}`);
    const macSize = this.#cipher === undefined ? 0 : 32;
    const end = 4 + length + macSize;
    if (this.#buffer.length < end) return undefined;
    const packet = Buffer.concat([this.#first, this.#open(this.#buffer.subarray(block, 4 + length))]);
    this.#check(packet, this.#buffer.subarray(4 + length, end));
    this.#buffer = this.#buffer.subarray(end);
    this.#first = Buffer.alloc(0);
    this.sequence = (this.sequence + 1) >>> 0;
    return packet.subarray(5, 4 + length - packet.readUInt8(4));
  }

  #open(bytes) {
    return this.#cipher === undefined ? bytes : this.#cipher.update(bytes);
  }

  #check(packet, mac) {
    if (this.#cipher === undefined) return;
    const expected = createHmac("sha256", this.#mac).update(uint32(this.sequence)).update(packet).digest();
    if (!expected.equals(mac)) throw new Error(`expected packet ${this.sequence} to have a valid MAC`);
  }
}
