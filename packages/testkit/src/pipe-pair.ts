/** Two byte pipes joined in memory: each receives the bytes that the other writes. @module */
import type { BytePipe, PipeSink } from "@postern/ssh";
import { type ArrayBufferBytes, type Bytes, SshError } from "@postern/wire";

/** Options of {@link pipePair}. */
export interface PipePairOptions {
  /** The number of bytes in flight in one direction from which `write` returns false. Default: 64 KiB. */
  readonly highWater?: number | undefined;
}

/**
 * A full-duplex link in memory, as strict as a socket. Each chunk and each event is delivered in a microtask of its
 * own, never inside the call that caused it. A chunk arrives as the same array that was written, so a test notices a
 * writer that changes it later. If the sink borrows, the chunk is overwritten after the call, and `written` is called.
 *
 * - `write` returns false from `highWater` bytes on; `drain` is called when all of them have been delivered.
 * - `end` is called after the bytes before it, and `closed` when both directions have ended.
 * - `close` ends the pipe and drops further input.
 * - `abort` drops the bytes in flight. `closed` receives the reason here, and at the peer a `closed` error whose cause
 *   is the reason.
 * - `pause` holds back bytes, and an `end` after them. An `end` with no bytes before it is called at once, as with a
 *   socket.
 * - After `abort` or `closed`, `write` returns false and drops the bytes.
 *
 * @throws SshError `misuse` from `start` when called twice, and from `write` after `end`
 * @example
 * const [ours, theirs] = pipePair({ highWater: 1024 });
 */
export function pipePair(options: PipePairOptions = {}): [BytePipe, BytePipe] {
  const { highWater = 64 * 1024 } = options;
  if (!(highWater >= 1)) throw new SshError("misuse", `expected a highWater of 1 or more, got ${highWater}`);
  const one = new PipeEnd(highWater);
  const other = new PipeEnd(highWater);
  one.join(other);
  other.join(one);
  return [one, other];
}

class PipeEnd implements BytePipe {
  readonly #highWater: number;
  #peer: PipeEnd = this;
  #sink: PipeSink | undefined;
  #paused = false;
  #scheduled = false;
  /** A write returned false, and `drain` has not been called since. */
  #needsDrain = false;
  #ended = false;
  /** Bytes in flight towards this end. */
  readonly #incoming: Bytes[] = [];
  #incomingSize = 0;
  #endDelivered = false;
  /** After `close`: input is dropped, and `closed` does not wait for the peer's end. */
  #dropping = false;
  #gone: { readonly error: Error | undefined } | undefined;
  #isClosed = false;

  constructor(highWater: number) {
    this.#highWater = highWater;
  }

  join(peer: PipeEnd): void {
    this.#peer = peer;
  }

  start(sink: PipeSink): void {
    if (this.#sink) throw new SshError("misuse", "expected one start, got another");
    this.#sink = sink;
    this.#schedule();
  }

  write(chunk: Bytes): boolean {
    if (this.#gone) return false;
    if (this.#ended) throw new SshError("misuse", "expected no write after end, got one");
    const peer = this.#peer;
    if (chunk.length > 0) peer.#arrive(chunk);
    const full = peer.#incomingSize >= this.#highWater;
    if (full) this.#needsDrain = true;
    return !full;
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#peer.#schedule();
    this.#schedule();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#schedule();
  }

  close(): void {
    if (this.#dropping || this.#gone) return;
    this.#dropping = true;
    this.end();
    this.resume();
  }

  abort(reason?: Error): void {
    if (this.#gone) return;
    this.#leave(reason ?? new SshError("closed", "the pipe was aborted"));
    this.#peer.#leave(new SshError("closed", "the peer reset the connection", { cause: reason }));
  }

  #arrive(chunk: Bytes): void {
    this.#incoming.push(chunk);
    this.#incomingSize += chunk.length;
    this.#schedule();
  }

  #leave(error: Error | undefined): void {
    if (this.#gone) return;
    this.#gone = { error };
    this.#incoming.length = 0;
    this.#incomingSize = 0;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  /** Makes one call of the sink and schedules the next. */
  #deliver(): void {
    const sink = this.#sink;
    if (!sink || this.#isClosed) return;
    if (this.#gone) {
      this.#isClosed = true;
      sink.closed(this.#gone.error);
    } else if (this.#needsDrain && !this.#ended && this.#peer.#incomingSize === 0) {
      this.#needsDrain = false;
      this.#schedule();
      sink.drain();
    } else if (this.#incoming.length > 0) {
      if (this.#paused) return;
      this.#schedule();
      this.#deliverChunk(sink);
    } else if (this.#peer.#ended && !this.#endDelivered) {
      this.#endDelivered = true;
      this.#schedule();
      sink.end();
    } else if (this.#ended && (this.#endDelivered || this.#dropping)) {
      this.#leave(undefined);
    }
  }

  #deliverChunk(sink: PipeSink): void {
    const chunk = this.#incoming.shift() as ArrayBufferBytes;
    this.#incomingSize -= chunk.length;
    if (this.#incomingSize === 0) this.#peer.#schedule();
    if (this.#dropping) return;
    sink.data(chunk);
    if (sink.memory?.borrows !== true) return;
    chunk.fill(0xee);
    this.#peer.#sink?.memory?.written?.(chunk);
  }
}
