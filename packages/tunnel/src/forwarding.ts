/** One forwarding as the program sees it: local, or a source of channels. @module */
import type { CallOptions, Channel } from "@postern/ssh";
import { Limits, SshError } from "@postern/wire";
import type { Target } from "./platform.ts";

/** A port of the host that is ours. Without a target it gives each connection as a channel: `for await (const channel of forwarding)`. */
export interface Forwarding extends AsyncIterable<ForwardedChannel> {
  /** as requested, word for word */
  readonly address: string;
  /** the port the host listens on; the one it chose when 0 was requested */
  readonly port: number;
  readonly target: Target | undefined;
  /** Resolves when it was cancelled or the tunnel logged off; rejects when the connection was lost. */
  readonly closed: Promise<void>;
  /** Frees the port; connections that are open live on. @throws SshError `refused` when the host does not do so */
  cancel(options?: CallOptions): Promise<void>;
}

/** A connection of a visitor, in event based mode. */
export interface ForwardedChannel extends Channel {
  /** where the visitor comes from, as the host tells */
  readonly origin: Target;
}

interface Reader {
  resolve(result: IteratorResult<ForwardedChannel>): void;
  reject(error: unknown): void;
}

/** Channels that were opened and wait for the program, and programs that wait for a channel. */
export class ChannelQueue implements AsyncIterable<ForwardedChannel> {
  readonly closed: Promise<void>;
  readonly #channels: ForwardedChannel[] = [];
  readonly #readers: Reader[] = [];
  #settleClosed: { resolve(): void; reject(error: unknown): void } = { resolve() {}, reject() {} };
  #end: { readonly error: SshError | undefined } | undefined;

  constructor() {
    this.closed = new Promise((resolve, reject) => {
      this.#settleClosed = { resolve, reject };
    });
    this.closed.catch(() => {});
  }

  /** Whether so many channels wait that a further one should be refused. */
  get full(): boolean {
    return this.#channels.length >= Limits.acceptQueue;
  }

  push(channel: ForwardedChannel): void {
    const reader = this.#readers.shift();
    if (reader !== undefined) reader.resolve({ done: false, value: channel });
    else this.#channels.push(channel);
  }

  /** No more channels come. Those that wait are still given out, unless the connection broke. */
  end(error: SshError | undefined): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    if (error !== undefined) this.#channels.length = 0;
    for (const reader of this.#readers.splice(0)) {
      if (error === undefined) reader.resolve({ done: true, value: undefined });
      else reader.reject(error);
    }
    if (error === undefined) this.#settleClosed.resolve();
    else this.#settleClosed.reject(error);
  }

  [Symbol.asyncIterator](): AsyncIterator<ForwardedChannel> {
    return {
      next: () => this.#next(),
      return: () => Promise.resolve({ done: true, value: undefined }),
    };
  }

  #next(): Promise<IteratorResult<ForwardedChannel>> {
    const channel = this.#channels.shift();
    if (channel !== undefined) return Promise.resolve({ done: false, value: channel });
    if (this.#end?.error !== undefined) return Promise.reject(this.#end.error);
    if (this.#end !== undefined) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
  }
}
