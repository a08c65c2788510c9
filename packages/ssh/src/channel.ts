/** A channel as a byte pipe and as streams. @module */
import { type ArrayBufferBytes, type Bytes, SshError } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import type { PipeMemory, PipeSink } from "./byte-pipe.ts";
import type { ChannelCore, ChannelEnd, ConnectionContext } from "./channel-core.ts";
import { ChannelInput } from "./channel-input.ts";
import { ChannelOutput } from "./channel-output.ts";
import { abortable, type Deferred, deferred, type Settler } from "./deferred.ts";
import type { AcceptOptions, CallOptions, Channel } from "./ssh-connection.ts";
import { type ChannelStreams, openStreams } from "./streams.ts";
import type { WindowGrowth } from "./window-growth.ts";

const copying: PipeMemory = { copies: true };
const noReplies: Settler<boolean>[] = [];

/**
 * The implementation of {@link Channel}. The connection passes it the machine's events. There may be thousands of
 * channels, so rarely used parts are created on demand.
 */
export class SshChannel implements Channel, ChannelCore {
  readonly memory: PipeMemory = copying;
  readonly type: string;
  readonly id: number;
  /** @internal */
  readonly context: ConnectionContext;
  readonly counters: ChannelCore["counters"] = { bytesIn: 0, bytesOut: 0, stalls: 0 };
  /** @internal */
  readonly onRequest: AcceptOptions["onRequest"];
  readonly #onClosed: AcceptOptions["onClosed"];
  readonly #onReleased: AcceptOptions["onReleased"];
  readonly #extended: AcceptOptions["extended"];
  /** @internal */
  sink: PipeSink | undefined;
  /** @internal */
  ended: ChannelEnd | undefined;
  /** @internal */
  readonly input: ChannelInput;
  /** @internal */
  readonly output: ChannelOutput;
  #streams: ChannelStreams | undefined;
  #closed: Deferred | undefined;
  /** why `closed` rejects */
  #failure: { readonly error: unknown } | undefined;
  #abortReason: Error | undefined;
  #replies = noReplies;

  constructor(
    type: string,
    id: number,
    growth: WindowGrowth,
    context: ConnectionContext,
    { onRequest, onClosed, onReleased, extended }: AcceptOptions = {},
  ) {
    this.type = type;
    this.id = id;
    this.context = context;
    this.onRequest = onRequest;
    this.#onClosed = onClosed;
    this.#onReleased = onReleased;
    this.#extended = extended;
    this.input = new ChannelInput(this, growth);
    this.output = new ChannelOutput(this);
  }

  get closed(): Promise<void> {
    if (this.#closed === undefined) {
      this.#closed = deferred();
      if (this.ended !== undefined) this.#settleClosed();
    }
    return this.#closed.promise;
  }

  get readable(): ReadableStream<ArrayBufferBytes> {
    return this.#view().readable;
  }

  get writable(): WritableStream<Bytes> {
    return this.#view().writable;
  }

  start(sink: PipeSink): void {
    if (this.sink !== undefined)
      throw new SshError("misuse", "expected one start, as streams or as a pipe, got another");
    this.sink = sink;
    queueMicrotask(() => this.input.deliver());
  }

  write(chunk: Bytes): boolean {
    return this.output.write(chunk);
  }

  end(): void {
    this.output.end();
  }

  close(): void {
    if (this.ended !== undefined) return this.input.dropRest();
    // If both directions have ended, the machine of the side that opened the channel closes it.
    if (this.output.isClosing || (this.output.isDone && this.input.hasEnded)) return;
    this.input.drop();
    this.output.close();
  }

  pause(): void {
    this.input.pause();
  }

  resume(): void {
    this.input.resume();
  }

  abort(reason?: Error): void {
    if (this.ended !== undefined) return this.input.dropRest();
    if (this.output.isAborted) return;
    this.#abortReason = reason ?? new SshError("closed", "the channel was aborted");
    this.output.abort();
    this.#streams?.endWriting(this.#abortReason);
    this.input.drop();
    this.context.machine.close(this.id);
    this.context.scheduleFlush();
    // The machine keeps the id until the peer's CLOSE, which may never come. The program need not wait for it.
    queueMicrotask(() => this.#end(undefined));
  }

  async request(type: string, specificData: Bytes, { signal }: CallOptions = {}): Promise<boolean> {
    signal?.throwIfAborted();
    if (this.ended !== undefined)
      throw this.ended.error ?? new SshError("closed", "expected an open channel for a request, got a closed one");
    this.context.machine.request(this.id, type, specificData, true);
    this.context.scheduleFlush();
    return await new Promise<boolean>((resolve, reject) => {
      // An aborted request stays in the queue, because its reply still comes.
      const caller = abortable(signal, { resolve, reject }, () => reject(signal?.reason));
      this.#replies = [...this.#replies, caller];
    });
  }

  notify(type: string, specificData: Bytes): void {
    if (this.ended !== undefined) return;
    try {
      this.context.machine.request(this.id, type, specificData, false);
    } catch {
      // The machine has read the peer's CLOSE, but its event has not reached us yet.
      return;
    }
    this.context.scheduleFlush();
  }

  peek(size: number): Promise<ArrayBufferBytes> {
    return this.input.peek(size);
  }

  /** The machine's event `data` with a type. @internal */
  receivedExtended(data: Bytes, dataType: number): void {
    const consumed = (size: number): void => this.input.credit(size);
    if (this.#extended === undefined) consumed(data.length);
    else this.guard(() => this.#extended?.data(data, dataType, consumed));
  }

  /** The machine's event `eof`. @internal */
  receivedEof(): void {
    this.input.receivedEof();
    this.guard(() => this.#extended?.end());
  }

  /** The machine's event `stalled`. @internal */
  stalled(): void {
    const ms = Limits.closeStallMs;
    const message = `expected the peer to accept the data sent before the close, got no window for ${ms} ms`;
    const error = new SshError("timeout", message);
    this.#failure ??= { error };
    this.abort(error);
  }

  /** The machine's event `reply`. @internal */
  replied(ok: boolean): void {
    this.#replies.shift()?.resolve(ok);
  }

  /** The machine has forgotten the channel, or the connection has ended. @internal */
  released(error: SshError | undefined): void {
    this.#end(error);
    this.guard(() => this.#onReleased?.());
  }

  /** @internal */
  guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.consumerFailed(error);
    }
  }

  /** @internal */
  consumerFailed(error: unknown): void {
    if (this.ended === undefined) this.#failure ??= { error };
    this.abort(error instanceof Error ? error : undefined);
  }

  #end(error: SshError | undefined): void {
    if (this.ended !== undefined) return;
    this.ended = { error, reason: error ?? this.#abortReason };
    this.output.dropPending();
    this.input.close(error !== undefined);
    // A writer gets the error at once, a reader after the buffered data.
    this.#streams?.endWriting(error);
    for (const { reject } of this.#replies.splice(0))
      reject(error ?? new SshError("closed", "the channel closed before the reply came"));
    if (error !== undefined) this.#failure ??= { error };
    this.#settleClosed();
    this.guard(() => this.#onClosed?.(this));
    this.input.deliver();
  }

  #settleClosed(): void {
    if (this.#failure === undefined) this.#closed?.resolve();
    else this.#closed?.reject(this.#failure.error);
  }

  #view(): ChannelStreams {
    if (this.#streams === undefined) {
      this.#streams = openStreams(this);
      if (this.ended !== undefined) this.#streams.endWriting(this.ended.error);
    }
    return this.#streams;
  }
}
