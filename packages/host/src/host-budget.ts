/** Limits that many clients share: the memory of all, and the connections, ports and channels of each user. @module */
import * as Limits from "@postern/wire/limits";
import type { HostLimits, LimitName } from "./limits.ts";

/** A limit that was reached. */
export interface Exceeded {
  readonly reason: string;
  readonly limit: LimitName | undefined;
}

/** The things that are counted for each user. */
export type UserResource = "connections" | "forwardings" | "channels";

/** Memory that a client may occupy beside its windows: output that it does not read. */
export const clientMemory: number = Limits.outputHighWater;

/** Counts what all clients use together. */
export class HostBudget {
  /** Bytes promised to clients and their channels. */
  memory = 0;
  readonly #limits: () => HostLimits;
  readonly #users = new Map<string, Record<UserResource, number>>();

  constructor(limits: () => HostLimits) {
    this.#limits = limits;
  }

  /** Bytes that no client or channel has been promised. */
  get free(): number {
    return this.#limits().totalMemory - this.memory;
  }

  /** Counts memory for a client or channel, unless it is used up. */
  takeMemory(bytes: number): Exceeded | undefined {
    if (this.free < bytes) return { reason: "the memory for all clients is in use", limit: "totalMemory" };
    this.memory += bytes;
    return undefined;
  }

  returnMemory(bytes: number): void {
    this.memory -= bytes;
  }

  /** Counts one more of the user's, unless the user has as many as permitted. */
  take(user: string, what: UserResource): Exceeded | undefined {
    const limit = `${what}PerUser` as const;
    const used = this.#users.get(user) ?? { connections: 0, forwardings: 0, channels: 0 };
    if (used[what] >= this.#limits()[limit]) return { reason: `too many ${names[what]} of this user`, limit };
    used[what]++;
    this.#users.set(user, used);
    return undefined;
  }

  giveBack(user: string, what: UserResource): void {
    const used = this.#users.get(user);
    if (used === undefined) return;
    used[what]--;
    if (Object.values(used).every((count) => count === 0)) this.#users.delete(user);
  }

  /** Number of users that are counted. */
  get users(): number {
    return this.#users.size;
  }
}

const names: Readonly<Record<UserResource, string>> = {
  connections: "connections",
  forwardings: "ports",
  channels: "channels",
};
