/** One visitor's pipe as an exchange sees it: events come when they are asked for, writes wait for room. @module */
import type { BytePipe } from "@postern/ssh";
import { type Bytes, SshError } from "@postern/wire";
import { type HeadLimits, type RequestEvent, RequestMachine } from "./request-machine.ts";

/** Why there was no event: the visitor left or ended between two requests, no byte came in time, or `stop` was called. */
export type NoEvent = "gone" | "timeout" | "stopped";

const pieceSize = 64 * 1024;

/** Lets the event loop do other work. A visitor whose bytes are already there could otherwise block it for seconds. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

interface Waiter {
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Reads requests from a pipe, and writes to it. Nothing is read unless somebody asks, so a visitor that sends more than is taken is
 * held by the window of its channel.
 */
export class Visitor {
  readonly #pipe: BytePipe;
  readonly #machine: RequestMachine;
  #arrival: { wake(why?: NoEvent): void } | undefined;
  /** those who wait for room to write */
  readonly #waiting = new Set<Waiter>();
  #ended = false;
  #closed: { readonly error: Error | undefined } | undefined;
  /** we have said everything: what still comes is dropped */
  #dropping = false;
  #onEnd: (() => void) | undefined;
  #onGone: ((error: Error) => void) | undefined;

  constructor(pipe: BytePipe, limits: HeadLimits) {
    this.#pipe = pipe;
    this.#machine = new RequestMachine(limits);
    pipe.pause();
    pipe.start({
      data: (chunk) => {
        if (this.#dropping) return;
        pipe.pause();
        this.#machine.receive(chunk);
        this.#arrival?.wake();
      },
      end: () => {
        this.#ended = true;
        this.#machine.receiveEnd();
        this.#arrival?.wake();
        this.#onEnd?.();
      },
      drain: () => {
        for (const waiter of this.#waiting) waiter.resolve();
      },
      closed: (error) => {
        this.#closed = { error };
        this.#machine.receiveEnd();
        this.#arrival?.wake();
        for (const waiter of this.#waiting) waiter.reject(this.#goneError());
        this.#onEnd?.();
        this.#onGone?.(this.#goneError());
      },
    });
  }

  /** Nothing of a next request has come. */
  get idle(): boolean {
    return this.#machine.idle;
  }

  /** The visitor sends no more; it may still read. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The pipe is closed. */
  get gone(): boolean {
    return this.#closed !== undefined;
  }

  /** Tells once when the visitor sends no more, and when it is gone; replaces what was told before. */
  watch(onEnd: (() => void) | undefined, onGone: ((error: Error) => void) | undefined): void {
    this.#onEnd = onEnd;
    this.#onGone = onGone;
    if (this.#ended || this.gone) onEnd?.();
    if (this.gone) onGone?.(this.#goneError());
  }

  /** The next event, if it comes within `timeoutMs` and no pause between two bytes exceeds `idleTimeoutMs`. One caller at a time. */
  async next(timeoutMs: number, idleTimeoutMs: number = timeoutMs): Promise<RequestEvent | NoEvent> {
    const start = performance.now();
    for (;;) {
      const event = this.#machine.next();
      if (event !== undefined) return event;
      if (this.#ended || this.gone) return "gone";
      const leftMs = timeoutMs - (performance.now() - start);
      if (leftMs <= 0) return "timeout";
      const why = await this.#bytes(Math.min(leftMs, idleTimeoutMs));
      if (why !== undefined) return why;
    }
  }

  /** Waits until something of a request is there. */
  async some(timeoutMs: number): Promise<NoEvent | undefined> {
    if (!this.idle) return undefined;
    if (this.#ended || this.gone) return "gone";
    const why = await this.#bytes(timeoutMs);
    // Closed while it waited: a request that came after that gets no answer, so it is not read.
    if (this.#dropping) return "stopped";
    return why ?? (this.idle ? "gone" : undefined);
  }

  /** Closes a connection that is idle: no answer is under way that the visitor could miss. */
  close(): void {
    this.#dropping = true;
    this.#pipe.close();
    this.stop();
  }

  /** Ends a wait for bytes; does nothing when nobody waits. */
  stop(): void {
    this.#arrival?.wake("stopped");
  }

  /** Sends (takes). Resolves when there is room for more; rejects when the visitor is gone, or takes nothing for so long. */
  async write(chunk: Bytes, timeoutMs: number): Promise<void> {
    // In pieces, so that a visitor that reads a large chunk slowly is told from one that does not read.
    for (let at = 0; at < chunk.length; at += pieceSize) {
      if (this.gone) throw this.#goneError();
      if (!this.#pipe.write(chunk.subarray(at, at + pieceSize))) await this.#drained(timeoutMs);
    }
  }

  /**
   * Ends the connection in an orderly way. RFC 9112 section 9.6: to close with bytes unread makes the visitor's system throw away the
   * answer, so we end, read on without looking, and close when the visitor has ended too, or after `lingerMs`.
   */
  async finish(lingerMs: number): Promise<void> {
    if (this.gone || this.#dropping) return;
    this.#dropping = true;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, lingerMs);
      const done = (): void => {
        clearTimeout(timer);
        resolve();
      };
      this.watch(done, undefined);
      this.#pipe.end();
      this.#pipe.resume();
    });
    this.#pipe.close();
  }

  /** Cuts the connection, so that the visitor does not take a half answer for a whole one. */
  abort(error: Error): void {
    this.#dropping = true;
    this.#pipe.abort(error);
  }

  async #drained(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const settle = (error?: unknown): void => {
        clearTimeout(timer);
        this.#waiting.delete(waiter);
        if (error === undefined) resolve();
        else reject(error);
      };
      const late = (): void =>
        settle(new SshError("timeout", `expected the visitor to read, it took nothing for ${timeoutMs} ms`));
      const timer = setTimeout(late, timeoutMs);
      const waiter: Waiter = { resolve: settle, reject: settle };
      this.#waiting.add(waiter);
    });
  }

  #bytes(timeoutMs: number): Promise<NoEvent | undefined> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#arrival?.wake("timeout"), timeoutMs);
      this.#arrival = {
        wake: (why) => {
          clearTimeout(timer);
          this.#arrival = undefined;
          resolve(why);
        },
      };
      this.#pipe.resume();
    });
  }

  #goneError(): Error {
    return this.#closed?.error ?? new SshError("closed", "the visitor closed the connection");
  }
}
