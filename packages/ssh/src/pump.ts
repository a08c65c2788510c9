/** Joins two byte pipes. @module */
import type { Bytes } from "@postern/wire";
import type { BytePipe, PipeSink } from "./byte-pipe.ts";

/**
 * Moves bytes both ways until both pipes are gone (takes both). Each direction half-closes by itself; whoever is slow stops
 * the other, and is credited only for what it took. An error on one side aborts the other, so a cut never looks like an end.
 */
export function pump(channel: BytePipe, target: BytePipe): void {
  join(channel, target);
  join(target, channel);
}

function join(from: BytePipe, to: BytePipe): void {
  from.start(to.reuse === undefined ? new Joint(from, to) : new ReturningJoint(from, to));
}

/** What one pipe delivers is written to the other. A class, for there are two of them for each of many connections. */
class Joint implements PipeSink {
  readonly borrows: boolean;
  protected readonly to: BytePipe;
  readonly #from: BytePipe;

  constructor(from: BytePipe, to: BytePipe) {
    this.#from = from;
    this.to = to;
    this.borrows = to.copies === true;
  }

  data(chunk: Bytes): void {
    if (!this.to.write(chunk)) this.#from.pause();
  }

  end(): void {
    this.to.end();
  }

  drain(): void {
    this.to.resume();
  }

  closed(error?: Error): void {
    if (error === undefined) this.to.close();
    else this.to.abort(error);
  }
}

/** What the other pipe delivered goes back to it when it is written. */
class ReturningJoint extends Joint {
  written(chunk: Bytes): void {
    this.to.reuse?.(chunk);
  }
}
