/** How many channels a client may have open, how much memory each may use, and how visitors share them. @module */
import * as Limits from "@postern/wire/limits";
import type { Exceeded, HostBudget } from "./host-budget.ts";
import { sourceOf } from "./ip.ts";
import type { HostLimits } from "./limits.ts";

/** A channel's share of the budget. It is returned once both the channel and its pipe are closed. */
export interface Share {
  /** The receive window to open the channel with. */
  readonly window: number;
  /** Call when the channel was released, or failed to open. */
  readonly channelClosed: () => void;
  /** Call when the pipe has closed, or failed to open. */
  readonly pipeClosed: () => void;
}

/** A channel needs a window of two packets at least. */
const minWindow = 2 * Limits.maxPacket;

/**
 * Divides a connection's memory among its channels. Each channel has two packets reserved from the start. A new channel
 * also takes an eighth of the unreserved rest, up to the usual window, and at most an eighth of what is left for its
 * user and for all clients. So a few channels are fast, and many channels together stay within the memory.
 */
export class ChannelBudget {
  /** Number of channels in use. */
  used = 0;
  readonly #channels: number;
  #free: number;
  readonly #shared: HostBudget;
  readonly #user: () => string;
  readonly #idle: (() => void)[] = [];

  constructor(
    { channels, memory }: { readonly channels: number; readonly memory: number },
    shared: HostBudget,
    user: () => string,
  ) {
    this.#channels = Math.min(channels, Math.floor(memory / minWindow));
    this.#free = memory - this.#channels * minWindow;
    this.#shared = shared;
    this.#user = user;
  }

  /** Returns a share, or the limit that was reached. `onReturned` is called when the share is returned. */
  take(onReturned?: () => void): Share | Exceeded {
    if (this.used >= this.#channels) return { reason: "too many channels of this client", limit: "channels" };
    const shared = this.#shared;
    const user = this.#user();
    const extra = Math.max(
      0,
      Math.min(Limits.window - minWindow, Math.floor(Math.min(this.#free, shared.freeOf(user)) / 8)),
    );
    const window = minWindow + extra;
    const exceeded = shared.take(user, "channels");
    if (exceeded !== undefined) return exceeded;
    const noMemory = shared.takeMemory(window, user);
    if (noMemory !== undefined) {
      shared.giveBack(user, "channels");
      return noMemory;
    }
    this.used++;
    this.#free -= extra;
    const giveBack = (): void => {
      this.used--;
      this.#free += extra;
      shared.returnMemory(window, user);
      shared.giveBack(user, "channels");
      onReturned?.();
      if (this.used === 0) for (const resolve of this.#idle.splice(0)) resolve();
    };
    const open = new Set(["channel", "pipe"]);
    const close = (end: string): void => {
      if (open.delete(end) && open.size === 0) giveBack();
    };
    return {
      window,
      channelClosed: () => close("channel"),
      pipeClosed: () => close("pipe"),
    };
  }

  /** Resolves when no channel is in use. */
  whenIdle(): Promise<void> {
    return this.used === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve));
  }
}

/** Shares channels among a client's visitors, so that neither one port nor one source uses all of them. */
export class VisitorBudget {
  readonly #channels: ChannelBudget;
  readonly #limits: () => HostLimits;
  /** Number of visitors by forwarding and by source. */
  readonly #open = new Map<object | string, number>();

  constructor(channels: ChannelBudget, limits: () => HostLimits) {
    this.#channels = channels;
    this.#limits = limits;
  }

  /** Returns a share for one more visitor, or the limit that was reached. */
  take(forwarding: object, host: string): Share | Exceeded {
    // The visitors of a UNIX socket have no address.
    const source = host === "" ? undefined : sourceOf(host);
    const { visitorsPerForwarding, visitorsPerSource } = this.#limits();
    if (this.#count(forwarding) >= visitorsPerForwarding)
      return { reason: "too many visitors of this port", limit: "visitorsPerForwarding" };
    if (source !== undefined && this.#count(source) >= visitorsPerSource)
      return { reason: "too many visitors from this address", limit: "visitorsPerSource" };
    const keys = source === undefined ? [forwarding] : [forwarding, source];
    const share = this.#channels.take(() => {
      for (const key of keys) this.#release(key);
    });
    if ("reason" in share) return share;
    for (const key of keys) this.#open.set(key, this.#count(key) + 1);
    return share;
  }

  #count(key: object | string): number {
    return this.#open.get(key) ?? 0;
  }

  #release(key: object | string): void {
    const left = this.#count(key) - 1;
    if (left > 0) this.#open.set(key, left);
    else this.#open.delete(key);
  }
}
