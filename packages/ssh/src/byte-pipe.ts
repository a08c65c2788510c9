/** The shape of the socket below and of the channel above. @module */
import type { Bytes } from "@postern/wire";

/** What a {@link BytePipe} calls. Calls are synchronous and never nested inside `start`. */
export interface PipeSink {
  /** Bytes came (takes). Not called while paused. */
  data(chunk: Bytes): void;
  /** The other side will send no more; we may still write. */
  end(): void;
  /** After `write` gave false: write again. */
  drain(): void;
  /** The pipe is gone, with an error when it did not end by both sides' `end`. Called once, last. */
  closed(error?: Error): void;
}

/** A full-duplex byte pipe with half-close and back-pressure in both directions. */
export interface BytePipe {
  /** Begins delivery; called once. */
  start(sink: PipeSink): void;
  /** Sends (takes). False: the bytes were taken, but stop until `drain`. */
  write(chunk: Bytes): boolean;
  /** Half-close: no more from us, after what was written. */
  end(): void;
  /** Stops delivery; at most the chunk in hand is still delivered by a socket, none by a channel. */
  pause(): void;
  resume(): void;
  /** Sends what was written, ends, and reads no more: what still comes in is dropped. `closed` follows without an error. */
  close(): void;
  /** Drops the pipe at once, without waiting for what was written. */
  abort(reason?: Error): void;
}
