/** Writes to a socket: those of one turn of the event loop leave in one system call. @module */
import type { Socket } from "node:net";
import type { Bytes } from "@postern/wire";
import { atEndOfTurn, type TurnListener } from "./end-of-turn.ts";

/** Bytes that may wait for the end of a turn of the event loop. */
const mostGathered = 256 * 1024;
/** If the first write of a turn is smaller, it leaves at once. */
const smallWrite = 4096;
/** Writes of at least this size gain nothing from waiting for the end of the turn. */
const largeWrite = 64 * 1024;
/** A small write that follows the previous one after a longer time does not belong to a burst, and leaves at once. */
const burstMs = 0.05;

/** Gathers the writes of one socket, and reports each chunk once the socket has sent it. */
export class WriteGathering implements TurnListener {
  /** `false`: the writer already batches */
  corks = true;
  /** called with each chunk that is written from now on, once it is sent */
  written: ((chunk: Bytes) => void) | undefined;
  readonly #socket: Socket;
  /** Its `drained` is called when gathered writes have left. */
  readonly #pipe: { drained(): void };
  /** chunks that the socket may not have sent yet */
  #unwritten: Bytes[] | undefined;
  #unwrittenSize = 0;
  /** number of writes in this turn of the event loop, except a single small one */
  #wrote = 0;
  #lastSmallAt = 0;

  constructor(socket: Socket, pipe: { drained(): void }) {
    this.#socket = socket;
    this.#pipe = pipe;
  }

  /** Writes a chunk. Returns `false` if the writer must wait for the socket's `drain`. */
  write(chunk: Bytes): boolean {
    const more = this.#gather(chunk);
    if (this.written !== undefined) this.#reportOnceWritten(chunk, this.written);
    return more;
  }

  /** Called when the event loop has processed all sockets that were ready. */
  turnIsOver(): void {
    this.#wrote = 0;
    if (this.#socket.writableCorked === 0) return;
    this.#socket.uncork();
    this.#pipe.drained();
  }

  /** Reports the chunks that the socket has sent. */
  reportWritten(): void {
    // The socket sends in order, so the last `writableLength` bytes are pending. With steady writes it may never be 0.
    const unwritten = this.#unwritten;
    for (let first = unwritten?.[0]; first !== undefined; first = unwritten?.[0]) {
      if (this.#unwrittenSize - first.length < this.#socket.writableLength) return;
      unwritten?.shift();
      this.#unwrittenSize -= first.length;
      this.written?.(first);
    }
  }

  #gather(chunk: Bytes): boolean {
    const socket = this.#socket;
    const small = chunk.length < smallWrite;
    if (this.#wrote === 0) {
      if (small && this.#isAlone()) return socket.write(chunk);
      atEndOfTurn(this);
    }
    this.#wrote++;
    const first = this.#wrote === 1;
    const waits = !this.corks ? small && !first : !(small && first) && chunk.length < largeWrite;
    if (waits && socket.writableCorked === 0) socket.cork();
    const more = socket.write(chunk);
    if (!this.corks || socket.writableCorked === 0) return more;
    // Bytes that only wait for the end of the turn cause no backpressure: a writer that gets `false` counts as slow.
    if (socket.writableLength < mostGathered) return true;
    socket.uncork();
    return socket.writableLength === 0;
  }

  /** Whether a small write does not belong to a burst. */
  #isAlone(): boolean {
    const now = performance.now();
    const isAlone = now - this.#lastSmallAt > burstMs;
    this.#lastSmallAt = now;
    return isAlone;
  }

  #reportOnceWritten(chunk: Bytes, written: (chunk: Bytes) => void): void {
    // Usually the system has accepted the chunk already.
    if (this.#unwrittenSize + this.#socket.writableLength === 0) return written(chunk);
    this.#unwritten ??= [];
    this.#unwritten.push(chunk);
    this.#unwrittenSize += chunk.length;
    this.reportWritten();
  }
}
