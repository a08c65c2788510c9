/** The receiving half of a channel: buffering, window credit and delivery. @module */
import type { ArrayBufferBytes, Bytes } from "@postern/wire";
import type { PipeSink } from "./byte-pipe.ts";
import { ByteQueue } from "./byte-queue.ts";
import type { ChannelCore } from "./channel-core.ts";
import type { WindowGrowth } from "./window-growth.ts";

interface Peek {
  readonly size: number;
  resolve(head: ArrayBufferBytes): void;
}

/** Shared by all channels without buffered data or peeks. Nothing is ever added to these. */
const emptyQueue = /* @__PURE__ */ new ByteQueue();
const noPeeks: Peek[] = [];

let unread: FinalizationRegistry<WindowGrowth> | undefined;

/**
 * A program may drop a closed channel without reading it. Its bytes count against the window budget until it is
 * collected.
 */
function releaseWhenCollected(input: ChannelInput, growth: WindowGrowth): void {
  // Older versions of workerd lack FinalizationRegistry. There, such bytes count until the connection ends.
  if (typeof FinalizationRegistry === "undefined") return;
  unread ??= new FinalizationRegistry((left) => left.release());
  unread.register(input, growth);
}

/** The receiving half of a channel. */
export class ChannelInput {
  readonly #channel: ChannelCore;
  readonly #growth: WindowGrowth;
  /**
   * `open` until the peer's EOF or CLOSE, then `ended`. `reported` once the sink's `end` was called. `dropped` if the
   * program does not read the channel.
   */
  #state: "open" | "ended" | "reported" | "dropped" = "open";
  /** data that the consumer has not accepted yet, at most the receive window */
  #queue = emptyQueue;
  /** bytes that the consumer accepted but then paused: credited when it resumes */
  #uncredited = 0;
  #paused = false;
  #closeReported = false;
  #peeks = noPeeks;

  constructor(channel: ChannelCore, growth: WindowGrowth) {
    this.#channel = channel;
    this.#growth = growth;
  }

  /** The peer has ended its data, and we have not dropped it. */
  get hasEnded(): boolean {
    return this.#state === "ended" || this.#state === "reported";
  }

  /** Delivers data (view), or buffers it (copies). */
  received(data: Bytes): void {
    const { sink, counters } = this.#channel;
    counters.bytesIn += data.length;
    if (this.#state === "dropped") this.credit(data.length);
    else if (sink !== undefined && !this.#paused && this.#queue.isEmpty) this.#deliverData(sink, data);
    else {
      if (this.#queue === emptyQueue) this.#queue = new ByteQueue();
      this.#queue.push(data);
      this.#answerPeeks();
    }
  }

  /** The peer's EOF. */
  receivedEof(): void {
    if (this.#state === "open") this.#state = "ended";
    this.deliver();
  }

  pause(): void {
    this.#paused = this.#state !== "dropped";
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.credit(this.#uncredited);
    this.#uncredited = 0;
    this.deliver();
  }

  peek(size: number): Promise<ArrayBufferBytes> {
    return new Promise((resolve) => {
      this.#peeks = [...this.#peeks, { size, resolve }];
      this.#answerPeeks();
    });
  }

  /** Sends window credit for bytes that were consumed or dropped (RFC 4254 section 5.2). */
  credit(size: number): void {
    const { id, ended, context } = this.#channel;
    if (size === 0 || ended !== undefined) return;
    const credit = this.#growth.credit(size, context.now(), !this.#paused && this.#queue.isEmpty);
    context.machine.consumed(id, size, credit);
    context.scheduleFlush();
  }

  /** Drops all input from now on. */
  drop(): void {
    this.#state = "dropped";
    this.credit(this.#queue.clear() + this.#uncredited);
    this.#uncredited = 0;
    this.#paused = false;
  }

  /** Drops the data that a closed channel still holds. */
  dropRest(): void {
    this.#growth.release(this.#queue.clear());
    this.deliver();
  }

  /** The channel is closed: releases its window. Buffered data stays for the consumer, unless the connection broke. */
  close(isBroken: boolean): void {
    if (isBroken) this.#queue.clear();
    const held = this.#queue.size;
    this.#growth.end(held);
    if (held > 0) releaseWhenCollected(this, this.#growth);
    if (this.#state === "open") this.#state = "ended";
  }

  /** Delivers buffered data as far as the consumer accepts it, then `end`, then `closed`. */
  deliver(): void {
    const { sink } = this.#channel;
    this.#answerPeeks();
    if (sink === undefined) return;
    while (!this.#paused) {
      const data = this.#queue.shift();
      if (data === undefined) break;
      this.#deliverData(sink, data);
    }
    this.#deliverEnd(sink);
  }

  #deliverEnd(sink: PipeSink): void {
    const { ended } = this.#channel;
    const isBroken = ended?.reason !== undefined;
    if (!this.#queue.isEmpty && !isBroken) return;
    if (this.#state === "ended" && !isBroken) {
      this.#state = "reported";
      this.#channel.guard(() => sink.end());
    }
    if (ended !== undefined && !this.#closeReported) {
      this.#closeReported = true;
      this.#channel.guard(() => sink.closed(ended.reason));
    }
  }

  #deliverData(sink: PipeSink, data: Bytes): void {
    // Read first, because the consumer may free the memory at once.
    const size = data.length;
    try {
      sink.data(data as ArrayBufferBytes);
    } catch (error) {
      this.#channel.consumerFailed(error);
    }
    if (this.#channel.ended !== undefined) this.#growth.release(size);
    // The consumer accepted the data unless it paused meanwhile.
    else if (this.#paused) this.#uncredited += size;
    else this.credit(size);
  }

  #answerPeeks(): void {
    const peeks = this.#peeks;
    if (peeks.length === 0) return;
    const isOver = this.#state !== "open" || this.#channel.ended !== undefined;
    this.#peeks = noPeeks;
    for (const peek of peeks) {
      if (isOver || this.#queue.size >= peek.size) peek.resolve(this.#queue.peek(peek.size));
      else this.#peeks = [...this.#peeks, peek];
    }
  }
}
