/** Finds the ends of the messages of an SSH handshake in one direction of the stream. @module */

const newKeys = 21;
const lineFeed = 10;

/**
 * Finds the ends of the identification line and of each packet up to NEWKEYS (RFC 4253 sections 4.2, 6 and 7.3). Later
 * bytes are encrypted, so each segment counts as one step.
 */
export class HandshakeSteps {
  #at: "line" | "packets" | "encrypted" = "line";
  #pending: Uint8Array = new Uint8Array(0);

  /** Returns the offsets in the chunk at which steps end. */
  receive(chunk: Uint8Array): number[] {
    const ends: number[] = [];
    const before = this.#pending.length;
    this.#pending = Buffer.concat([this.#pending, chunk]);
    let taken = 0;
    for (let size = this.#next(); size !== undefined; size = this.#next()) {
      taken += size;
      this.#pending = this.#pending.subarray(size);
      ends.push(taken - before);
    }
    return ends;
  }

  /** Returns the size of the next step, if it is complete. */
  #next(): number | undefined {
    const { length } = this.#pending;
    if (length === 0) return undefined;
    switch (this.#at) {
      case "line": {
        const end = this.#pending.indexOf(lineFeed);
        if (end < 0) return undefined;
        this.#at = "packets";
        return end + 1;
      }
      case "packets": {
        if (length < 6) return undefined;
        const size = 4 + new DataView(this.#pending.buffer, this.#pending.byteOffset).getUint32(0);
        if (length < size) return undefined;
        if (this.#pending[5] === newKeys) this.#at = "encrypted";
        return size;
      }
      case "encrypted":
        return length;
    }
  }
}
