/** Channels that were opened and wait for the program, and programs that wait for a channel. @module */
import { deferred } from "@postern/ssh";
import type { SshError } from "@postern/wire";
import type { ForwardedChannel } from "./forwarding.ts";

/** A pending `next()`. */
interface Reader {
  readonly iterator: object;
  resolve(result: IteratorResult<ForwardedChannel>): void;
  reject(error: unknown): void;
}

const done = { done: true, value: undefined } as const;

/** The source of `for await (const channel of forwarding)`; several loops share it. */
export class ChannelQueue implements AsyncIterable<ForwardedChannel> {
  readonly #channels: ForwardedChannel[] = [];
  #readers: Reader[] = [];
  readonly #closed = deferred();
  readonly #backlog: number;
  #end: { readonly error: SshError | undefined } | undefined;

  /** @param backlog how many channels may wait */
  constructor(backlog: number) {
    this.#backlog = backlog;
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Whether the loops over this queue have ended. */
  get ended(): boolean {
    return this.#end !== undefined;
  }

  /** Whether so many channels wait that a further one should be refused. */
  get full(): boolean {
    return this.#channels.length >= this.#backlog;
  }

  push(channel: ForwardedChannel): void {
    const reader = this.#readers.shift();
    if (reader !== undefined) reader.resolve({ done: false, value: channel });
    else this.#channels.push(channel);
  }

  /** The connection was lost, and the channels that wait with it. */
  clear(): void {
    this.#channels.length = 0;
  }

  /** No more channels come. Those that wait are still given out, unless the connection broke. */
  end(error: SshError | undefined): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    if (error !== undefined) this.clear();
    for (const reader of this.#readers.splice(0)) {
      if (error === undefined) reader.resolve(done);
      else reader.reject(error);
    }
    if (error === undefined) this.#closed.resolve();
    else this.#closed.reject(error);
  }

  [Symbol.asyncIterator](): AsyncIterator<ForwardedChannel> {
    let returned = false;
    const iterator = {
      next: () => (returned ? Promise.resolve(done) : this.#next(iterator)),
      return: () => {
        returned = true;
        // A pending next() would take the next channel, which nobody would see.
        for (const reader of this.#readers) if (reader.iterator === iterator) reader.resolve(done);
        this.#readers = this.#readers.filter((reader) => reader.iterator !== iterator);
        return Promise.resolve(done);
      },
    };
    return iterator;
  }

  #next(iterator: object): Promise<IteratorResult<ForwardedChannel>> {
    const channel = this.#channels.shift();
    if (channel !== undefined) return Promise.resolve({ done: false, value: channel });
    if (this.#end?.error !== undefined) return Promise.reject(this.#end.error);
    if (this.#end !== undefined) return Promise.resolve(done);
    return new Promise((resolve, reject) => this.#readers.push({ iterator, resolve, reject }));
  }
}
