/** How many channels a client may have, and how much it may send on each before somebody took it. @module */
import { Limits } from "@postern/wire";

/** A channel's share. It returns when both the channel and the pipe it is joined to are gone. */
export interface Share {
  /** the receive window to open the channel with */
  readonly window: number;
  /** the channel was released, or never opened */
  readonly channelGone: () => void;
  /** the pipe has closed, or there never was one */
  readonly pipeGone: () => void;
}

/** The least a channel works with: two packets. */
const leastWindow = 2 * Limits.maxPacket;

/**
 * Divides a connection's memory over its channels. Each has at least two packets, kept for it from the start; of the rest each new
 * channel takes an eighth, up to the usual window. So few channels are fast, many are slow, and all together stay within the memory.
 */
export class ChannelBudget {
  readonly #channels: number;
  #free: number;
  #used = 0;
  readonly #idle: (() => void)[] = [];

  constructor({ channels, memory }: { readonly channels: number; readonly memory: number }) {
    this.#channels = Math.min(channels, Math.floor(memory / leastWindow));
    this.#free = memory - this.#channels * leastWindow;
  }

  /** Channels in use. */
  get used(): number {
    return this.#used;
  }

  /** Undefined when there are too many. `onReturned` is called when the share returns. */
  take(onReturned?: () => void): Share | undefined {
    if (this.#used >= this.#channels) return undefined;
    this.#used++;
    const extra = Math.min(Limits.window - leastWindow, Math.floor(this.#free / 8));
    this.#free -= extra;
    const giveBack = (): void => {
      this.#used--;
      this.#free += extra;
      onReturned?.();
      if (this.#used === 0) for (const wake of this.#idle.splice(0)) wake();
    };
    const held = new Set(["channel", "pipe"]);
    const gone = (what: string): void => {
      if (held.delete(what) && held.size === 0) giveBack();
    };
    return {
      window: leastWindow + extra,
      channelGone: () => gone("channel"),
      pipeGone: () => gone("pipe"),
    };
  }

  /** Resolves when no channel is in use. */
  whenIdle(): Promise<void> {
    return this.#used === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve));
  }
}
