/** Which visitors of a client get a channel: neither one port nor one address takes all of them. @module */
import type { ChannelBudget, Share } from "./channel-budget.ts";
import { sourceOf } from "./ip.ts";
import type { HostLimits } from "./options.ts";

/** Counts a client's visitors, as long as their shares are held. */
export class VisitorBudget {
  readonly #channels: ChannelBudget;
  readonly #limits: HostLimits;
  /** visitors by forwarding, and by source; only those that have any */
  readonly #open = new Map<object | string, number>();

  constructor(channels: ChannelBudget, limits: HostLimits) {
    this.#channels = channels;
    this.#limits = limits;
  }

  /** A share of the client's channels for one more visitor, or why there is none. */
  take(forwarding: object, host: string): Share | string {
    const source = sourceOf(host);
    const { visitorsPerForwarding, visitorsPerSource } = this.#limits;
    if (this.#count(forwarding) >= visitorsPerForwarding) return "too many visitors of this port";
    if (this.#count(source) >= visitorsPerSource) return "too many visitors from this address";
    const keys = [forwarding, source];
    const share = this.#channels.take(() => {
      for (const key of keys) this.#release(key);
    });
    if (share === undefined) return "too many channels of this client";
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
