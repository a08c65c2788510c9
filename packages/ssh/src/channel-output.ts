/** The sending half of a channel: data that waits for the peer's window, and our EOF. @module */
import { type Bytes, SshError } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import type { ChannelCore } from "./channel-core.ts";

/** A chunk of data, or of extended data with its type (RFC 4254 section 5.2). */
interface Pending {
  readonly chunk: Bytes;
  readonly dataType: number | undefined;
}

/** The sending half of a channel. */
export class ChannelOutput {
  readonly #channel: ChannelCore;
  /** data that waits for the peer's window or for room in our output */
  readonly #pending: Pending[] = [];
  /** size of `#pending` */
  #unsent = 0;
  /** `write` returned `false`, and `drain` has not been called since. */
  #owesDrain = false;
  #state: "open" | "ending" | "closing" | "done" | "aborted" = "open";

  constructor(channel: ChannelCore) {
    this.#channel = channel;
  }

  /** Whether everything was sent, EOF included. */
  get isDone(): boolean {
    return this.#state === "done";
  }

  /** Whether `close` or `abort` was called and nothing is left to do for it. */
  get isClosing(): boolean {
    return this.#state === "closing" || this.isAborted;
  }

  get isAborted(): boolean {
    return this.#state === "aborted";
  }

  write(chunk: Bytes, dataType?: number): boolean {
    const { id, ended, context, counters } = this.#channel;
    // As with a socket, late data is dropped: the writer cannot know yet.
    if (ended !== undefined || this.#state === "aborted") return false;
    if (this.#state !== "open") throw new SshError("misuse", "expected no write after end, got one");
    const sent = this.#pending.length === 0 ? this.#send(chunk, dataType) : 0;
    context.scheduleFlush();
    if (sent < chunk.length) {
      this.#pending.push({ chunk: chunk.slice(sent), dataType });
      this.#countUnsent(this.#unsent + chunk.length - sent);
    } else if (context.machine.hasRoom(id)) return true;
    this.#owesDrain = true;
    counters.stalls++;
    return false;
  }

  end(): void {
    if (this.#state !== "open") return;
    this.#state = "ending";
    this.sendPending();
  }

  /** Closes the channel after pending data. */
  close(): void {
    this.#state = "closing";
    this.#channel.context.machine.closeAfterWrite(this.#channel.id);
    this.sendPending();
  }

  /** Drops pending data and sends nothing more. */
  abort(): void {
    this.#state = "aborted";
    this.dropPending();
  }

  dropPending(): void {
    this.#pending.length = 0;
    this.#countUnsent(0);
  }

  /** Sends as much as window and output allow, then calls `drain` or sends the end. */
  sendPending(): void {
    const { id, ended, context } = this.#channel;
    if (ended !== undefined || this.#state === "done" || this.#state === "aborted") return;
    let [first] = this.#pending;
    while (first !== undefined) {
      const { chunk, dataType } = first;
      const sent = this.#send(chunk, dataType);
      this.#countUnsent(this.#unsent - sent);
      if (sent < chunk.length) {
        this.#pending[0] = { chunk: chunk.subarray(sent), dataType };
        return context.scheduleFlush();
      }
      this.#pending.shift();
      [first] = this.#pending;
    }
    if (this.#state === "open") {
      if (!this.#owesDrain || !context.machine.hasRoom(id)) return;
      this.#owesDrain = false;
      this.#channel.guard(() => this.#channel.sink?.drain());
    } else {
      context.machine.eof(id);
      if (this.#state === "closing") context.machine.close(id);
      this.#state = "done";
    }
    context.scheduleFlush();
  }

  #send(chunk: Bytes, dataType: number | undefined): number {
    const { id, context, counters } = this.#channel;
    const sent = context.machine.write(id, chunk, dataType);
    counters.bytesOut += sent;
    return sent;
  }

  /**
   * The connection's limit is for memory that a peer makes us hold. A large write of the program counts no more than
   * one read of a socket.
   */
  #countUnsent(bytes: number): void {
    const { context } = this.#channel;
    context.unsent += Math.min(bytes, Limits.unsentOfChannel) - Math.min(this.#unsent, Limits.unsentOfChannel);
    this.#unsent = bytes;
  }
}
