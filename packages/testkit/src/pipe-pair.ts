/** Two byte pipes joined in memory: what one writes the other hears. @module */
import type { BytePipe, PipeSink } from "@postern/ssh";
import { type Bytes, SshError } from "@postern/wire";

/** What {@link pipePair} is told. */
export interface PipePairOptions {
  /** bytes that may be on the way in one direction before `write` gives false; 64 KiB by default */
  readonly highWater?: number | undefined;
}

/**
 * A full-duplex link in memory, as strict as a socket: everything is delivered by a microtask of its own, never inside the call that
 * caused it, and one chunk a microtask. A chunk arrives as the very array that was written, so a writer that touches it again is found out.
 * A sink that borrows has it for the time of the call: then it is overwritten, and given back to a writer that wants to hear of it.
 *
 * - `write` gives false from `highWater` bytes on; `drain` comes when all of them have been delivered.
 * - `end` follows the bytes before it; `closed` comes when both directions have ended.
 * - `close` ends, and drops what still comes in.
 * - `abort` drops what is on the way: here `closed` has the reason, there a `closed` error with the reason as its cause.
 * - `pause` holds back bytes, and an `end` behind them; an `end` with nothing before it comes all the same, as from a socket.
 * - After `abort` or `closed`, `write` gives false and drops the bytes.
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
  /** a write gave false and `drain` has not been called since */
  #owesDrain = false;
  #ended = false;
  /** on the way to us */
  readonly #incoming: Bytes[] = [];
  #incomingSize = 0;
  #endHeard = false;
  /** closed by us: what comes in is dropped, and the peer's end is not waited for */
  #dropping = false;
  #gone: { readonly error: Error | undefined } | undefined;
  #told = false;

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
    if (full) this.#owesDrain = true;
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

  /** One call of the sink, and a microtask for the next. */
  #deliver(): void {
    const sink = this.#sink;
    if (!sink || this.#told) return;
    if (this.#gone) {
      this.#told = true;
      sink.closed(this.#gone.error);
    } else if (this.#owesDrain && !this.#ended && this.#peer.#incomingSize === 0) {
      this.#owesDrain = false;
      this.#schedule();
      sink.drain();
    } else if (this.#incoming.length > 0) {
      if (this.#paused) return;
      this.#schedule();
      this.#deliverChunk(sink);
    } else if (this.#peer.#ended && !this.#endHeard) {
      this.#endHeard = true;
      this.#schedule();
      sink.end();
    } else if (this.#ended && (this.#endHeard || this.#dropping)) {
      this.#leave(undefined);
    }
  }

  #deliverChunk(sink: PipeSink): void {
    const chunk = this.#incoming.shift() as Bytes;
    this.#incomingSize -= chunk.length;
    if (this.#incomingSize === 0) this.#peer.#schedule();
    if (this.#dropping) return;
    sink.data(chunk);
    if (sink.memory?.borrows !== true) return;
    chunk.fill(0xee);
    this.#peer.#sink?.memory?.written?.(chunk);
  }
}
