/** The shape of the socket below and of the channel above. @module */
import type { Bytes } from "@postern/wire";

/** What a {@link BytePipe} calls. Calls are synchronous and never nested inside `start`. */
export interface PipeSink {
  /** Bytes came (takes, unless it borrows). Not called while paused. */
  data(chunk: Bytes): void;
  /** `data` keeps nothing of a chunk once it has returned: the pipe may use the memory again. */
  readonly borrows?: boolean;
  /** It gathers what it writes by itself, so that a pipe does better not to wait for more. */
  readonly gathers?: boolean;
  /** The other side will send no more; we may still write. */
  end(): void;
  /** After `write` gave false: write again. */
  drain(): void;
  /** The pipe is done with a chunk that `write` took: its memory may be used again. Not every pipe tells. */
  written?(chunk: Bytes): void;
  /** The pipe is gone, with an error when it did not end by both sides' `end`. Called once, last. */
  closed(error?: Error): void;
}

/** A full-duplex byte pipe with half-close and back-pressure in both directions. */
export interface BytePipe {
  /** Begins delivery; called once. */
  start(sink: PipeSink): void;
  /** Sends (takes, unless it copies). False: the bytes were taken, but stop until `drain`. */
  write(chunk: Bytes): boolean;
  /** `write` copies: the memory of a chunk may be used again once it has returned. */
  readonly copies?: boolean;
  /** Half-close: no more from us, after what was written. */
  end(): void;
  /** Stops delivery; at most the chunk in hand is still delivered by a socket, none by a channel. */
  pause(): void;
  resume(): void;
  /** Takes back a chunk that it delivered, once nobody reads it any more. Not every pipe has a use for it. */
  reuse?(chunk: Bytes): void;
  /** Sends what was written, ends, and reads no more: what still comes in is dropped. `closed` follows without an error. */
  close(): void;
  /** Drops the pipe at once, without waiting for what was written. */
  abort(reason?: Error): void;
}
