/** Messages that wait until our NEWKEYS is sent (RFC 4253 section 7.1). @module */
import { type Bytes, Reader, SshError, Writer } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import type { PacketWriter } from "./packet-writer.ts";

/** A queue of control messages. Its memory is limited, because a peer decides how many replies it requests. */
export class HeldOutput {
  /** Length-prefixed payloads in one buffer, because an object for each would be larger than most payloads. */
  #payloads = new Writer();
  #count = 0;
  #charge = 0;
  /** by the position of the message in the queue */
  readonly #onSent = new Map<number, (sequence: number) => void>();

  /** Appends one message (copies). @throws SshError `limit` if too many bytes wait */
  add(head: Bytes, body: Bytes, onSent: ((sequence: number) => void) | undefined): void {
    const size = head.length + body.length;
    this.#charge += size + Limits.heldOverhead;
    if (this.#charge > Limits.heldOutput) {
      throw new SshError(
        "limit",
        `expected at most ${Limits.heldOutput} bytes of replies to wait for a key exchange, ` +
          `${Limits.heldOverhead} of them for each reply`,
      );
    }
    if (onSent !== undefined) this.#onSent.set(this.#count, onSent);
    this.#count++;
    this.#payloads.uint32(size).raw(head).raw(body);
  }

  /** Sends all messages in order. */
  flush(writer: PacketWriter): void {
    const payloads = new Reader(this.#payloads.finish(), "held messages");
    for (let n = 0; n < this.#count; n++) {
      const payload = payloads.string();
      this.#onSent.get(n)?.(writer.sequence);
      writer.send(payload);
    }
    this.clear();
  }

  clear(): void {
    this.#payloads = new Writer();
    this.#count = 0;
    this.#charge = 0;
    this.#onSent.clear();
  }
}
