/** A channel as a byte pipe, with the stream view users take. @module */
import type { ConnectionMachine } from "@postern/connection";
import { type ArrayBufferBytes, type Bytes, Limits, SshError } from "@postern/wire";
import type { BytePipe, PipeSink } from "./byte-pipe.ts";
import { ByteQueue } from "./byte-queue.ts";
import { type Settleable, settleable } from "./settleable.ts";
import type { AcceptOptions } from "./ssh-connection.ts";
import { type ChannelStreams, openStreams } from "./streams.ts";
import { type Waiter, waiter } from "./waiter.ts";
import type { WindowGrowth } from "./window-growth.ts";

/** A full-duplex SSH channel (RFC 4254 section 5). Use either the streams or the push pipe, not both. */
export interface Channel extends BytePipe {
  /** the channel type, such as `forwarded-tcpip` */
  readonly type: string;
  /** our number of the channel */
  readonly id: number;
  /** settles when the channel is gone; rejects when the connection broke under it */
  readonly closed: Promise<void>;
  readonly readable: ReadableStream<ArrayBufferBytes>;
  readonly writable: WritableStream<Bytes>;
  /**
   * The first `size` bytes that come, without taking them; fewer when the peer ends before. To be called before the channel is started, with a size
   * below the window.
   */
  peek(size: number): Promise<Bytes>;
  /** bytes of data that came and went, and how often a write had to wait for the peer's window or our output */
  readonly counters: ChannelCounters;
  /** Sends a channel request and gives the peer's answer (RFC 4254 section 5.4). */
  request(type: string, specificData: Bytes, options?: { readonly signal?: AbortSignal }): Promise<boolean>;
  /** Sends a channel request that wants no reply. Does nothing when the channel is gone. */
  notify(type: string, specificData: Bytes): void;
}

/** What went over a channel so far. */
export interface ChannelCounters {
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly stalls: number;
}

/** What a channel needs of its connection. */
export interface ChannelContext {
  readonly machine: ConnectionMachine;
  /** there is output to send */
  touch(): void;
  readonly now: () => number;
  /** bytes of all channels that wait for the peer's credit or our output */
  unsent: number;
  /** the buffer of a chunk is free again */
  reuse(chunk: Bytes): void;
}

/** Those of all channels that have nothing in them: nothing is ever put into these. */
const nothingWaits = /* @__PURE__ */ new ByteQueue();
const none: never[] = [];

let unread: FinalizationRegistry<WindowGrowth> | undefined;

/** A program may drop a channel that is gone without reading it: its bytes are freed with it, and count no more. */
function releaseWhenCollected(channel: object, growth: WindowGrowth): void {
  // Older versions of workerd have none; there such bytes count until the connection ends.
  if (typeof FinalizationRegistry === "undefined") return;
  unread ??= new FinalizationRegistry((left) => left.release());
  unread.register(channel, growth);
}

/**
 * The implementation of {@link Channel}. The connection tells it what the machine tells. There may be thousands of them, so that what few
 * need is made when it is asked for.
 */
export class SshChannel implements Channel {
  readonly copies = true;
  readonly type: string;
  readonly id: number;
  readonly #host: ChannelContext;
  /** @internal */
  readonly onRequest: AcceptOptions["onRequest"];
  readonly #onGone: AcceptOptions["onGone"];
  readonly #onReleased: AcceptOptions["onReleased"];
  #closed: Settleable | undefined;
  /** why the channel did not end well */
  #failure: unknown;
  #sink: PipeSink | undefined;
  #streams: ChannelStreams | undefined;
  /** data that came while nobody took it; at most the receive window */
  #queue = nothingWaits;
  /** delivered to a consumer that paused while taking it: credited when it resumes */
  #uncredited = 0;
  #paused = false;
  /** what the peer will still send: data, nothing after its EOF or CLOSE, and whether the sink knows; or nobody wants it */
  #input: "data" | "ended" | "told" | "dropped" = "data";
  /** bytes that wait for window or room, and what follows them */
  readonly #pending: Bytes[] = [];
  /** how many they are */
  #unsent = 0;
  /** a write gave false and `drain` has not been called since */
  #owesDrain = false;
  #output: "open" | "ending" | "closing" | "done" | "aborted" = "open";
  #abortReason: Error | undefined;
  #gone: { readonly error: SshError | undefined; told: boolean } | undefined;
  #replies: Waiter<boolean>[] = none;
  readonly #growth: WindowGrowth;
  #peeks: { readonly size: number; resolve(head: Bytes): void }[] = none;
  readonly #counters = { bytesIn: 0, bytesOut: 0, stalls: 0 };

  constructor(
    type: string,
    id: number,
    growth: WindowGrowth,
    host: ChannelContext,
    { onRequest, onGone, onReleased }: AcceptOptions = {},
  ) {
    this.#growth = growth;
    this.onRequest = onRequest;
    this.#onGone = onGone;
    this.#onReleased = onReleased;
    this.type = type;
    this.id = id;
    this.#host = host;
  }

  get closed(): Promise<void> {
    if (this.#closed === undefined) {
      this.#closed = settleable();
      if (this.#gone !== undefined) this.#closed.settle(this.#failure);
    }
    return this.#closed.promise;
  }

  get counters(): ChannelCounters {
    return this.#counters;
  }

  get readable(): ReadableStream<ArrayBufferBytes> {
    return this.#view().readable;
  }

  get writable(): WritableStream<Bytes> {
    return this.#view().writable;
  }

  start(sink: PipeSink): void {
    if (this.#sink !== undefined)
      throw new SshError("misuse", "expected a channel to be started once: as streams or as a pipe");
    this.#sink = sink;
    queueMicrotask(() => this.#deliver());
  }

  write(chunk: Bytes): boolean {
    // As with a socket, what comes too late is dropped: the writer cannot know yet.
    if (this.#gone !== undefined || this.#output === "aborted") return false;
    if (this.#output !== "open") throw new SshError("misuse", "expected no write after the end");
    const sent = this.#pending.length === 0 ? this.#write(chunk) : 0;
    this.#host.touch();
    if (sent < chunk.length) {
      this.#pending.push(chunk.slice(sent));
      this.#countUnsent(this.#unsent + chunk.length - sent);
    } else if (this.#host.machine.hasRoom(this.id)) return true;
    this.#owesDrain = true;
    this.#counters.stalls++;
    return false;
  }

  end(): void {
    if (this.#output !== "open") return;
    this.#output = "ending";
    this.#sendPending();
  }

  close(): void {
    if (this.#gone !== undefined) return this.#dropAfterEnd();
    if (this.#output === "closing" || this.#output === "aborted") return;
    // Both directions are done: the side that opened the channel closes it, and the machine sees to that.
    if (this.#output === "done" && (this.#input === "ended" || this.#input === "told")) return;
    this.#output = "closing";
    this.#drop();
    this.#host.machine.closeAfterWrite(this.id);
    this.#sendPending();
  }

  pause(): void {
    this.#paused = this.#input !== "dropped";
  }

  reuse(chunk: Bytes): void {
    this.#host.reuse(chunk);
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#credit(this.#uncredited);
    this.#uncredited = 0;
    this.#deliver();
  }

  abort(reason?: Error): void {
    if (this.#gone !== undefined) return this.#dropAfterEnd();
    if (this.#output === "aborted") return;
    this.#output = "aborted";
    this.#abortReason = reason ?? new SshError("closed", "the channel was aborted");
    this.#dropPending();
    this.#streams?.endWriting(this.#abortReason);
    this.#drop();
    this.#host.machine.close(this.id);
    this.#host.touch();
    // For us it is over now. The machine keeps the id until the peer's CLOSE, which may never come.
    queueMicrotask(() => this.ended(undefined));
  }

  async request(
    type: string,
    specificData: Bytes,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<boolean> {
    if (signal?.aborted) throw new SshError("aborted", "the channel request was aborted", { cause: signal.reason });
    if (this.#gone !== undefined)
      throw this.#gone.error ?? new SshError("closed", "expected an open channel for a request");
    this.#host.machine.request(this.id, type, specificData, true);
    this.#host.touch();
    return await new Promise<boolean>((resolve, reject) => {
      const aborted = (): void =>
        reject(new SshError("aborted", "the channel request was aborted", { cause: signal?.reason }));
      // An aborted waiter stays in the line: the reply it awaits comes all the same.
      this.#replies = [...this.#replies, waiter(signal, { resolve, reject }, aborted)];
    });
  }

  notify(type: string, specificData: Bytes): void {
    if (this.#gone !== undefined) return;
    try {
      this.#host.machine.request(this.id, type, specificData, false);
    } catch {
      // The peer's CLOSE has been read, and we have not been told yet.
      return;
    }
    this.#host.touch();
  }

  peek(size: number): Promise<Bytes> {
    return new Promise((resolve) => {
      this.#peeks = [...this.#peeks, { size, resolve }];
      this.#answerPeeks();
    });
  }

  /** The machine's event `data`. @internal */
  received(data: Bytes): void {
    this.#counters.bytesIn += data.length;
    if (this.#input === "dropped") this.#credit(data.length);
    else if (this.#sink !== undefined && !this.#paused && this.#queue.empty) this.#hand(this.#sink, data);
    else {
      if (this.#queue === nothingWaits) this.#queue = new ByteQueue();
      this.#queue.push(data);
      this.#answerPeeks();
    }
  }

  /** Data nobody asks for, such as extended data: dropped, and credited all the same (RFC 4254 section 5.2). @internal */
  discarded(size: number): void {
    this.#credit(size);
  }

  /** The machine's event `eof`. @internal */
  receivedEof(): void {
    if (this.#input === "data") this.#input = "ended";
    this.#answerPeeks();
    this.#deliver();
  }

  /** The machine's event `writable`. @internal */
  woken(): void {
    this.#sendPending();
  }

  /** The machine's event `stalled`. @internal */
  stalled(): void {
    const ms = Limits.closeStallMs;
    const error = new SshError(
      "timeout",
      `expected the peer to take what was sent before the close, got none for ${ms} ms`,
    );
    this.#failure ??= error;
    this.abort(error);
  }

  /** The machine's event `reply`. @internal */
  replied(ok: boolean): void {
    this.#replies.shift()?.resolve(ok);
  }

  /** The machine's event `closed`, or the connection's end. @internal */
  ended(error: SshError | undefined): void {
    if (this.#gone !== undefined) return;
    this.#gone = { error, told: false };
    this.#dropPending();
    if (error !== undefined) this.#queue.clear();
    const held = this.#queue.size;
    this.#growth.end(held);
    if (held > 0) releaseWhenCollected(this, this.#growth);
    // A writer learns of the end at once, a reader after what came before it.
    this.#streams?.endWriting(error);
    if (this.#input === "data") this.#input = "ended";
    for (const { reject } of this.#replies.splice(0)) {
      reject(error ?? new SshError("closed", "the channel closed before the reply came"));
    }
    this.#failure ??= error;
    this.#closed?.settle(this.#failure);
    this.#tell(() => this.#onGone?.(this));
    this.#answerPeeks();
    this.#deliver();
  }

  /** The machine has forgotten the channel, or the connection has ended. @internal */
  released(error: SshError | undefined): void {
    this.ended(error);
    this.#tell(() => this.#onReleased?.());
  }

  #view(): ChannelStreams {
    if (this.#streams === undefined) {
      this.#streams = openStreams(this);
      if (this.#gone !== undefined) this.#streams.endWriting(this.#gone.error);
    }
    return this.#streams;
  }

  /** Hands on what waits, as far as the consumer takes it, then the end, then the close. */
  #deliver(): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    while (!this.#paused) {
      const data = this.#queue.shift();
      if (data === undefined) break;
      this.#hand(sink, data);
    }
    const broken = this.#gone && (this.#gone.error ?? this.#abortReason);
    if (!this.#queue.empty && broken === undefined) return;
    if (this.#input === "ended" && broken === undefined) {
      this.#input = "told";
      this.#tell(() => sink.end());
    }
    if (this.#gone !== undefined && !this.#gone.told) {
      this.#gone.told = true;
      this.#tell(() => sink.closed(broken));
    }
  }

  #hand(sink: PipeSink, data: Bytes): void {
    // Asked for now: the consumer may give the memory back at once.
    const size = data.length;
    try {
      sink.data(data);
    } catch (error) {
      this.#consumerFailed(error);
    }
    if (this.#gone !== undefined) this.#growth.release(size);
    // The consumer took it unless it said stop while taking it.
    else if (this.#paused) this.#uncredited += size;
    else this.#credit(size);
  }

  /** A consumer that fails ends its own channel, not the connection. */
  #tell(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#consumerFailed(error);
    }
  }

  #consumerFailed(error: unknown): void {
    if (this.#gone === undefined) this.#failure ??= error;
    this.abort(error instanceof Error ? error : undefined);
  }

  #credit(size: number): void {
    if (size === 0 || this.#gone !== undefined) return;
    const { machine, now } = this.#host;
    const credit = this.#growth.credit(size, now(), !this.#paused && this.#queue.empty);
    machine.consumed(this.id, size, credit);
    this.#host.touch();
  }

  /** What comes in is of no interest any more. */
  #drop(): void {
    this.#input = "dropped";
    this.#credit(this.#queue.clear() + this.#uncredited);
    this.#uncredited = 0;
    this.#paused = false;
  }

  /** The channel is gone, and nobody takes what is left of it. */
  #dropAfterEnd(): void {
    this.#growth.release(this.#queue.clear());
    this.#deliver();
  }

  #dropPending(): void {
    this.#pending.length = 0;
    this.#countUnsent(0);
  }

  /** The connection's limit is for what a peer makes us hold: a large write of the program counts as little as a read of a socket. */
  #countUnsent(bytes: number): void {
    this.#host.unsent += Math.min(bytes, Limits.unsentOfChannel) - Math.min(this.#unsent, Limits.unsentOfChannel);
    this.#unsent = bytes;
  }

  #write(chunk: Bytes): number {
    const sent = this.#host.machine.write(this.id, chunk);
    this.#counters.bytesOut += sent;
    return sent;
  }

  #answerPeeks(): void {
    const over = this.#input !== "data" || this.#gone !== undefined;
    const waiting = this.#peeks;
    if (waiting.length === 0) return;
    this.#peeks = none;
    for (const peek of waiting) {
      if (over || this.#queue.size >= peek.size) peek.resolve(this.#queue.peek(peek.size));
      else this.#peeks = [...this.#peeks, peek];
    }
  }

  #sendPending(): void {
    if (this.#gone !== undefined || this.#output === "done" || this.#output === "aborted") return;
    const { machine } = this.#host;
    let [first] = this.#pending;
    while (first !== undefined) {
      const sent = this.#write(first);
      this.#countUnsent(this.#unsent - sent);
      if (sent < first.length) {
        this.#pending[0] = first.subarray(sent);
        return this.#host.touch();
      }
      this.#pending.shift();
      [first] = this.#pending;
    }
    if (this.#output === "open") {
      if (!this.#owesDrain || !machine.hasRoom(this.id)) return;
      this.#owesDrain = false;
      this.#tell(() => this.#sink?.drain());
    } else {
      machine.eof(this.id);
      if (this.#output === "closing") machine.close(this.id);
      this.#output = "done";
    }
    this.#host.touch();
  }
}
