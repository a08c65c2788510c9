/** One connection of a visitor: requests are read on demand, writes wait for backpressure. @module */
import type { BytePipe, Settler } from "@postern/ssh";
import { type Bytes, SshError } from "@postern/wire";
import { DetachedPipe } from "./detached-pipe.ts";
import { type HeadLimits, type RequestEvent, RequestMachine } from "./request-machine.ts";

/** Why there is no event: the visitor ended between two requests, no byte came in time, or `stop` was called. */
export type NoEvent = "closed" | "timeout" | "stopped";

const writeSize = 64 * 1024;

/** Yields to the event loop. Otherwise a visitor whose bytes are already in memory could block it for seconds. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/**
 * Reads requests from a pipe and writes responses to it. It reads only while a caller waits for an event, so the window
 * of the channel holds back a visitor that sends more than is consumed.
 */
export class HttpConnection {
  /** The visitor sends no more. It may still read. */
  ended = false;
  readonly #pipe: BytePipe;
  readonly #machine: RequestMachine;
  /** The pending wait for bytes. */
  #reader: { resolve(reason?: NoEvent): void } | undefined;
  /** The pending writes. */
  readonly #writers = new Set<Settler<void>>();
  #closed: { readonly error: Error | undefined } | undefined;
  /** The last response has been written: input is dropped. */
  #dropping = false;
  /** The pipe that gets the events after an upgrade. */
  #detached: DetachedPipe | undefined;
  #onEnd: (() => void) | undefined;
  #onClose: ((error: Error) => void) | undefined;

  constructor(pipe: BytePipe, limits: HeadLimits) {
    this.#pipe = pipe;
    this.#machine = new RequestMachine(limits);
    pipe.pause();
    pipe.start({
      data: (chunk) => {
        if (this.#detached !== undefined) return this.#detached.events.data(chunk);
        if (this.#dropping) return;
        pipe.pause();
        this.#machine.receive(chunk);
        this.#reader?.resolve();
      },
      end: () => {
        this.ended = true;
        this.#detached?.events.end();
        this.#machine.receiveEnd();
        this.#reader?.resolve();
        this.#onEnd?.();
      },
      drain: () => {
        this.#detached?.events.drain();
        for (const writer of this.#writers) writer.resolve();
      },
      closed: (error) => {
        this.#closed = { error };
        this.#detached?.events.closed(error);
        this.#machine.receiveEnd();
        this.#reader?.resolve();
        for (const writer of this.#writers) writer.reject(this.#closeError());
        this.#onEnd?.();
        this.#onClose?.(this.#closeError());
      },
    });
  }

  /** No byte of the next request has come. */
  get idle(): boolean {
    return this.#machine.idle;
  }

  /** The pipe is closed. */
  get closed(): boolean {
    return this.#closed !== undefined;
  }

  /** Sets callbacks for the visitor's end and the close of the pipe, called once each. They replace earlier ones. */
  watch(onEnd: (() => void) | undefined, onClose: ((error: Error) => void) | undefined): void {
    this.#onEnd = onEnd;
    this.#onClose = onClose;
    if (this.ended || this.closed) onEnd?.();
    if (this.closed) onClose?.(this.#closeError());
  }

  /**
   * Resolves with the next event, or with `"timeout"` if it does not come within `timeoutMs` or no byte comes for
   * `idleTimeoutMs`. One caller at a time.
   */
  async next(timeoutMs: number, idleTimeoutMs: number = timeoutMs): Promise<RequestEvent | NoEvent> {
    const start = performance.now();
    for (;;) {
      const event = this.#machine.next();
      if (event !== undefined) return event;
      if (this.ended || this.closed) return "closed";
      const leftMs = timeoutMs - (performance.now() - start);
      if (leftMs <= 0) return "timeout";
      const reason = await this.#bytes(Math.min(leftMs, idleTimeoutMs));
      if (reason !== undefined) return reason;
    }
  }

  /** Waits for the first byte of a request. Resolves with the reason if there is none. */
  async waitForRequest(timeoutMs: number): Promise<NoEvent | undefined> {
    if (!this.idle) return undefined;
    if (this.ended || this.closed) return "closed";
    const reason = await this.#bytes(timeoutMs);
    // Closed while it waited: a request that arrives after that gets no response, so it is not read.
    if (this.#dropping) return "stopped";
    return reason ?? (this.idle ? "closed" : undefined);
  }

  /** Closes an idle connection at once: no response is in flight. */
  close(): void {
    this.#dropping = true;
    this.#pipe.close();
    this.stop();
  }

  /** Ends a pending wait for bytes. */
  stop(): void {
    this.#reader?.resolve("stopped");
  }

  /**
   * Sends bytes and takes them over. Resolves when there is room for more. Rejects if the pipe closes, or takes nothing
   * for `timeoutMs`.
   */
  async write(chunk: Bytes, timeoutMs: number): Promise<void> {
    // In pieces, so that the timeout hits a visitor that does not read and spares one that reads slowly.
    for (let at = 0; at < chunk.length; at += writeSize) {
      if (this.closed) throw this.#closeError();
      if (!this.#pipe.write(chunk.subarray(at, at + writeSize))) await this.#drained(timeoutMs);
    }
  }

  /**
   * Closes the connection after the last response. If it closed with unread bytes, the visitor's system would discard
   * the response (RFC 9112 section 9.6). So it ends its own side, drops input, and closes when the visitor has ended
   * too, or after `lingerMs`.
   */
  async finish(lingerMs: number): Promise<void> {
    if (this.closed || this.#dropping) return;
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

  /** Ends HTTP on this connection after the head of a request. Returns a pipe with everything that follows. */
  detach(): BytePipe {
    const pipe = new DetachedPipe(this.#pipe, this.#machine.takeRest());
    this.#detached = pipe;
    if (this.ended) pipe.events.end();
    if (this.#closed !== undefined) pipe.events.closed(this.#closed.error);
    return pipe;
  }

  /** Resets the connection, so that the visitor does not take a partial response for a complete one. */
  abort(error: Error): void {
    this.#dropping = true;
    this.#pipe.abort(error);
  }

  async #drained(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const settle = (error?: unknown): void => {
        clearTimeout(timer);
        this.#writers.delete(writer);
        if (error === undefined) resolve();
        else reject(error);
      };
      const timer = setTimeout(
        () => settle(new SshError("timeout", `expected the visitor to read, got no progress for ${timeoutMs} ms`)),
        timeoutMs,
      );
      const writer: Settler<void> = { resolve: settle, reject: settle };
      this.#writers.add(writer);
    });
  }

  #bytes(timeoutMs: number): Promise<NoEvent | undefined> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#reader?.resolve("timeout"), timeoutMs);
      this.#reader = {
        resolve: (reason) => {
          clearTimeout(timer);
          this.#reader = undefined;
          resolve(reason);
        },
      };
      this.#pipe.resume();
    });
  }

  #closeError(): Error {
    return this.#closed?.error ?? new SshError("closed", "the visitor closed the connection");
  }
}
