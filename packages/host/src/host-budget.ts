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
export const clientMemory: number = Limits.outputCeiling;
/** The part of `totalMemory` that one user may occupy, so that no user locks the others out. */
const userPart = 1 / 4;

type Used = Readonly<Record<UserResource | "memory", number>>;
const none: Used = { connections: 0, forwardings: 0, channels: 0, memory: 0 };

/** Counts what all clients use together. */
export class HostBudget {
  /** Bytes promised to clients and their channels. */
  memory = 0;
  /** The same in other processes of the host. */
  memoryOfOthers = 0;
  readonly #limits: () => HostLimits;
  readonly #users = new Map<string, Record<UserResource | "memory", number>>();
  readonly #usageOfOthers = new Map<string, Pick<Used, "channels" | "memory">>();

  constructor(limits: () => HostLimits) {
    this.#limits = limits;
  }

  /** Bytes that no client or channel has been promised. */
  get free(): number {
    return this.#limits().totalMemory - this.memory - this.memoryOfOthers;
  }

  /** Bytes that a channel of this user may be promised. */
  freeOf(user: string): number {
    return Math.min(this.free, this.#partOf(user));
  }

  /** Counts memory for a client or channel, unless it is used up. A client has no user before it has logged in. */
  takeMemory(bytes: number, user?: string): Exceeded | undefined {
    if (this.free < bytes) return { reason: "the memory for all clients is in use", limit: "totalMemory" };
    const exceeded = user === undefined ? undefined : this.assignMemory(user, bytes);
    if (exceeded === undefined) this.memory += bytes;
    return exceeded;
  }

  returnMemory(bytes: number, user?: string): void {
    this.memory -= bytes;
    if (user !== undefined) this.#subtract(user, "memory", bytes);
  }

  /** Counts memory that a client has already for its user as well, unless the user's part is used up. */
  assignMemory(user: string, bytes: number): Exceeded | undefined {
    if (this.#partOf(user) < bytes) return { reason: "the memory for this user is in use", limit: "totalMemory" };
    const used = this.#of(user);
    used.memory += bytes;
    this.#users.set(user, used);
    return undefined;
  }

  /** Counts one more of the user's, unless the user has as many as permitted. */
  take(user: string, what: UserResource): Exceeded | undefined {
    const limit = `${what}PerUser` as const;
    const used = this.#of(user);
    const ofOthers = what === "channels" ? (this.#usageOfOthers.get(user)?.channels ?? 0) : 0;
    if (used[what] + ofOthers >= this.#limits()[limit])
      return { reason: `too many ${names[what]} of this user`, limit };
    used[what]++;
    this.#users.set(user, used);
    return undefined;
  }

  giveBack(user: string, what: UserResource): void {
    this.#subtract(user, what, 1);
  }

  /** Counts memory and channels of a user without a limit, because another process has promised them. */
  adjust(user: string, memory: number, channels: number): void {
    const used = this.#of(user);
    this.#users.set(user, used);
    this.memory += memory;
    used.channels += channels;
    this.#subtract(user, "memory", -memory);
  }

  /** Records what a user has in other processes of the host. */
  setUsageOfOthers(user: string, memory: number, channels: number): void {
    if (memory === 0 && channels === 0) this.#usageOfOthers.delete(user);
    else this.#usageOfOthers.set(user, { memory, channels });
  }

  /** The memory and the channels of a user. */
  usedBy(user: string): Pick<Used, "channels" | "memory"> {
    return this.#users.get(user) ?? none;
  }

  /** Number of users that are counted. */
  get users(): number {
    return this.#users.size;
  }

  /** Bytes left of the user's part of the memory. */
  #partOf(user: string): number {
    const ofOthers = this.#usageOfOthers.get(user)?.memory ?? 0;
    return Math.floor(this.#limits().totalMemory * userPart) - this.#of(user).memory - ofOthers;
  }

  #of(user: string): Record<UserResource | "memory", number> {
    return this.#users.get(user) ?? { ...none };
  }

  #subtract(user: string, what: UserResource | "memory", count: number): void {
    const used = this.#users.get(user);
    if (used === undefined) return;
    used[what] -= count;
    if (Object.values(used).every((left) => left === 0)) this.#users.delete(user);
  }
}

const names: Readonly<Record<UserResource, string>> = {
  connections: "connections",
  forwardings: "ports",
  channels: "channels",
};
