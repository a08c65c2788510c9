/** The interface of a socket (below a connection) and of a channel (above it). @module */
import type { ArrayBufferBytes, Bytes } from "@postern/wire";

/** How a {@link PipeSink} treats the memory of chunks. */
export interface SinkMemory {
  /** `data` does not retain the chunk, so the pipe may reuse its memory after the call. */
  readonly borrows?: boolean | undefined;
  /** Called when the pipe has sent a chunk and its memory may be reused. Not every pipe reports this. */
  readonly written?: ((chunk: Bytes) => void) | undefined;
}

/** How a {@link BytePipe} treats the memory of chunks. */
export interface PipeMemory {
  /** `write` copies the chunk, so the caller may reuse its memory after the call. */
  readonly copies?: boolean | undefined;
}

/** Options of {@link BytePipe.start}. */
export interface StartOptions {
  /**
   * Whether the pipe may hold back small writes to send them together. `false`: the writer already batches. Default
   * `true`.
   */
  readonly cork?: boolean | undefined;
}

/** The callbacks of a {@link BytePipe}. They are called synchronously, but never inside `start`. */
export interface PipeSink {
  /** Default: the sink takes each chunk, and does not need to know when writes are sent. */
  readonly memory?: SinkMemory | undefined;
  /** Bytes arrived (takes, unless it borrows), in an ArrayBuffer as WebCrypto requires. Not called while paused. */
  data(chunk: ArrayBufferBytes): void;
  /** The peer sends nothing more; we may still write. */
  end(): void;
  /** Called once the pipe accepts data again, after `write` returned `false`. */
  drain(): void;
  /** The pipe is closed, with an error unless both sides ended it. Called once, last. */
  closed(error?: Error): void;
}

/** A full-duplex byte pipe with half-close, and with backpressure in both directions. */
export interface BytePipe {
  /** Default: `write` takes each chunk. */
  readonly memory?: PipeMemory | undefined;
  /** Starts delivery. Called once. */
  start(sink: PipeSink, options?: StartOptions): void;
  /**
   * Sends bytes (takes, unless it copies). Returns `false` if the caller must stop until `drain`; the bytes are
   * accepted anyway.
   */
  write(chunk: Bytes): boolean;
  /** Half-closes the pipe after the bytes written so far. */
  end(): void;
  /** Stops delivery. A socket may still deliver the chunk it is reading, a channel delivers nothing more. */
  pause(): void;
  resume(): void;
  /** Sends the bytes written so far, ends, and drops further input. `closed` follows without an error. */
  close(): void;
  /** Closes the pipe at once and drops unsent bytes. */
  abort(reason?: Error): void;
  /** The pipe keeps the process alive while it is open. Default, and only where the platform knows processes. */
  ref?(): void;
  /** The pipe does not keep the process alive. */
  unref?(): void;
}
