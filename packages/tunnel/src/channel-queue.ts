/** A queue between channels that arrive and the loops that take them. @module */
import { deferred, type Settler } from "@postern/ssh";
import type { SshError } from "@postern/wire";
import type { ForwardedChannel } from "./forwarding.ts";

/** A pending `next()`. */
interface Reader extends Settler<IteratorResult<ForwardedChannel>> {
  readonly iterator: object;
}

const done = { done: true, value: undefined } as const;

/** The source of `for await (const channel of listener)`; several loops share it. */
export class ChannelQueue implements AsyncIterable<ForwardedChannel> {
  readonly #channels: ForwardedChannel[] = [];
  #readers: Reader[] = [];
  /** Iterators that have been read from and have not returned. */
  readonly #iterators = new Set<object>();
  readonly #closed = deferred();
  readonly #backlog: number;
  readonly #onRejected: (error: unknown) => void;
  #end: { readonly error: SshError | undefined } | undefined;

  /**
   * @param backlog how many channels may wait
   * @param onRejected called when an iterator rejects, or will reject on its next `next()`
   */
  constructor(backlog: number, onRejected: (error: unknown) => void) {
    this.#backlog = backlog;
    this.#onRejected = onRejected;
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  get isFull(): boolean {
    return this.#channels.length >= this.#backlog;
  }

  push(channel: ForwardedChannel): void {
    const reader = this.#readers.shift();
    if (reader !== undefined) reader.resolve({ done: false, value: channel });
    else this.#channels.push(channel);
  }

  /** Drops the channels that wait, because their connection was lost. */
  clear(): void {
    this.#channels.length = 0;
  }

  /** Ends the loops. Without an error, channels that wait are still yielded. */
  end(error: SshError | undefined): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    if (error !== undefined) {
      this.clear();
      if (this.#iterators.size > 0) this.#onRejected(error);
    }
    for (const reader of this.#readers.splice(0)) {
      if (error === undefined) reader.resolve(done);
      else reader.reject(error);
    }
    if (error === undefined) this.#closed.resolve();
    else this.#closed.reject(error);
  }

  [Symbol.asyncIterator](): AsyncIterator<ForwardedChannel> {
    let hasReturned = false;
    const iterator = {
      next: () => (hasReturned ? Promise.resolve(done) : this.#next(iterator)),
      return: () => {
        hasReturned = true;
        this.#iterators.delete(iterator);
        // A pending next() would take the next channel from the other loops.
        for (const reader of this.#readers) if (reader.iterator === iterator) reader.resolve(done);
        this.#readers = this.#readers.filter((reader) => reader.iterator !== iterator);
        return Promise.resolve(done);
      },
    };
    return iterator;
  }

  #next(iterator: object): Promise<IteratorResult<ForwardedChannel>> {
    const channel = this.#channels.shift();
    if (channel === undefined && this.#end !== undefined) {
      const { error } = this.#end;
      if (error === undefined) return Promise.resolve(done);
      this.#onRejected(error);
      return Promise.reject(error);
    }
    this.#iterators.add(iterator);
    if (channel !== undefined) return Promise.resolve({ done: false, value: channel });
    return new Promise((resolve, reject) => this.#readers.push({ iterator, resolve, reject }));
  }
}
