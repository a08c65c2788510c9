/** Limits the bytes per second of a forwarding. @module */
import type { BytePipe, PipeMemory, PipeSink, StartOptions } from "@postern/ssh";
import { type Bytes, maxTimerMs } from "@postern/wire";

/** How long a bucket that is full lets bytes pass without delay. */
const burstMs = 250;

/** A token bucket that may owe: a pipe that takes too much waits until the debt is paid. */
export class TokenBucket {
  readonly #perMs: number;
  readonly #capacity: number;
  #tokens: number;
  #at = performance.now();

  constructor(bytesPerSecond: number) {
    this.#perMs = bytesPerSecond / 1000;
    this.#capacity = this.#perMs * burstMs;
    this.#tokens = this.#capacity;
  }

  /** Takes tokens for bytes that pass now. Returns the milliseconds to wait before more may pass. */
  take(bytes: number): number {
    const now = performance.now();
    this.#tokens = Math.min(this.#capacity, this.#tokens + (now - this.#at) * this.#perMs) - bytes;
    this.#at = now;
    return Math.max(0, -this.#tokens / this.#perMs);
  }
}

/** A pipe whose writer and reader wait for the tokens of buckets, which many pipes share. */
export class RateLimitedPipe implements BytePipe {
  readonly memory: PipeMemory | undefined;
  readonly #pipe: BytePipe;
  readonly #written: TokenBucket;
  readonly #read: TokenBucket;
  #paused = false;
  /** The pipe itself accepts no more. */
  #full = false;
  #writeHold: ReturnType<typeof setTimeout> | undefined;
  #readHold: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(pipe: BytePipe, written: TokenBucket, read: TokenBucket) {
    this.memory = pipe.memory;
    this.#pipe = pipe;
    this.#written = written;
    this.#read = read;
  }

  start(sink: PipeSink, options?: StartOptions): void {
    const limited: PipeSink = {
      memory: sink.memory,
      data: (chunk) => {
        const waitMs = this.#read.take(chunk.length);
        sink.data(chunk);
        if (waitMs > 0) this.#holdReading(waitMs);
      },
      end: () => sink.end(),
      drain: () => {
        this.#full = false;
        if (this.#writeHold === undefined) sink.drain();
      },
      closed: (error) => {
        this.#closed = true;
        clearTimeout(this.#writeHold);
        clearTimeout(this.#readHold);
        sink.closed(error);
      },
    };
    this.#drained = () => sink.drain();
    this.#pipe.start(limited, options);
  }

  write(chunk: Bytes): boolean {
    const waitMs = this.#written.take(chunk.length);
    this.#full = !this.#pipe.write(chunk);
    if (waitMs === 0 || this.#closed) return !this.#full && this.#writeHold === undefined;
    clearTimeout(this.#writeHold);
    this.#writeHold = setTimeout(
      () => {
        this.#writeHold = undefined;
        if (!this.#full) this.#drained();
      },
      Math.min(waitMs, maxTimerMs),
    );
    return false;
  }

  end(): void {
    this.#pipe.end();
  }

  pause(): void {
    this.#paused = true;
    this.#pipe.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#readHold === undefined) this.#pipe.resume();
  }

  close(): void {
    this.#pipe.close();
  }

  abort(reason?: Error): void {
    this.#pipe.abort(reason);
  }

  #drained: () => void = () => {};

  #holdReading(waitMs: number): void {
    if (this.#closed) return;
    this.#pipe.pause();
    clearTimeout(this.#readHold);
    this.#readHold = setTimeout(
      () => {
        this.#readHold = undefined;
        if (!this.#paused) this.#pipe.resume();
      },
      Math.min(waitMs, maxTimerMs),
    );
  }
}
