/** Joins two byte pipes. @module */
import type { Bytes } from "@postern/wire";
import type { BytePipe, PipeSink, SinkMemory } from "./byte-pipe.ts";

/** Frees the memory of a chunk (takes it). */
export type Free = (chunk: Bytes) => void;

const borrowing: SinkMemory = { borrows: true };

/**
 * Copies bytes in both directions until both pipes are closed (takes both). Each direction half-closes on its own. A
 * slow receiver pauses the sender, and window credit is sent only for bytes it accepted. An error on one pipe aborts
 * the other, so a broken connection never looks like a clean end.
 *
 * @param free called with each chunk of the channel that the target has sent; default: the garbage collector frees them
 * @param ended called with the channel once the target is closed: long after the channel if it reads slowly
 */
export function pump<C extends BytePipe>(
  channel: C,
  target: BytePipe,
  free?: Free,
  ended?: (channel: C) => void,
): void {
  channel.start(new PumpSink(channel, target));
  target.start(new PumpSink(target, channel, free, ended as ((channel: BytePipe) => void) | undefined));
}

/**
 * Writes the input of one pipe to the other. A class, because a host creates two of them for each of many connections.
 */
class PumpSink implements PipeSink {
  readonly memory: SinkMemory | undefined;
  readonly #from: BytePipe;
  readonly #to: BytePipe;
  readonly #ended: ((to: BytePipe) => void) | undefined;

  constructor(from: BytePipe, to: BytePipe, written?: Free, ended?: (to: BytePipe) => void) {
    const borrows = to.memory?.copies === true;
    this.memory = written === undefined ? (borrows ? borrowing : undefined) : { borrows, written };
    this.#from = from;
    this.#to = to;
    this.#ended = ended;
  }

  data(chunk: Bytes): void {
    if (!this.#to.write(chunk)) this.#from.pause();
  }

  end(): void {
    this.#to.end();
  }

  drain(): void {
    this.#to.resume();
  }

  closed(error?: Error): void {
    if (error === undefined) this.#to.close();
    else this.#to.abort(error);
    this.#ended?.(this.#to);
  }
}
