/** Takeover: a user's new connection gets a port that a silent connection of the same user holds. @module */
import { type Bytes, equal, SshError } from "@postern/wire";
import type { HostClient } from "./client-view.ts";

/** Whose connection may take a port over: another one of the same user, or only one with the same user and key. */
export type TakeoverPolicy = "user" | "key";

/** The port or UNIX socket that is taken over. */
export interface TakeoverPlace {
  /** 0 for a UNIX socket. */
  readonly port: number;
  readonly path?: string | undefined;
}

/** A client, as far as takeovers need it. */
export interface TakeoverClient extends HostClient {
  /** The exact name of the user; `""` before login. */
  readonly account: string;
  /** The last key that it logged in with; the certified one of a certificate. */
  readonly lastKey: Bytes | undefined;
  /** Sends a keepalive. Resolves with whether anything comes back in time. */
  answers(timeoutMs: number): Promise<boolean>;
  /** Disconnects the client. Resolves when its ports are free. */
  drop(reason: SshError): Promise<void>;
}

/** How long a silent connection may take to answer. */
const takeoverTimeoutMs = 1_000;

/** The takeovers of a host. */
export class Takeovers {
  /** The clients that listen, by port or path. */
  readonly #holders = new Map<string, Set<TakeoverClient>>();
  readonly #takenOver: (client: TakeoverClient, previous: TakeoverClient, place: TakeoverPlace) => void;
  /** The clients that are being asked, so that each is asked once at a time, and taken over once. */
  readonly #asked = new Map<TakeoverClient, Promise<boolean>>();

  constructor(takenOver: (client: TakeoverClient, previous: TakeoverClient, place: TakeoverPlace) => void) {
    this.#takenOver = takenOver;
  }

  /** Records that a client listens. */
  opened(client: TakeoverClient, place: TakeoverPlace): void {
    const key = placeKey(place);
    const holders = this.#holders.get(key) ?? new Set();
    this.#holders.set(key, holders.add(client));
  }

  /** Records that a client no longer listens. */
  closed(client: TakeoverClient, place: TakeoverPlace): void {
    const key = placeKey(place);
    const holders = this.#holders.get(key);
    holders?.delete(client);
    if (holders?.size === 0) this.#holders.delete(key);
  }

  /** Number of clients that are being asked. */
  get pending(): number {
    return this.#asked.size;
  }

  /**
   * Frees what another client of the same owner holds, if that client does not answer. Resolves with whether it is free
   * now. Each client waits for one request at a time, so there are at most as many pending calls as clients.
   */
  async free(client: TakeoverClient, place: TakeoverPlace, policy: TakeoverPolicy): Promise<boolean> {
    const holders = [...(this.#holders.get(placeKey(place)) ?? [])].filter((other) => other !== client);
    if (holders.length === 0 || !holders.every((holder) => isSameOwner(client, holder, policy))) return false;
    const gone = await Promise.all(
      holders.map((holder) => {
        const asked = this.#asked.get(holder) ?? this.#dropIfSilent(holder, client, place);
        this.#asked.set(holder, asked);
        return asked;
      }),
    );
    return !gone.includes(false);
  }

  /** Resolves with whether the holder was disconnected. */
  async #dropIfSilent(holder: TakeoverClient, client: TakeoverClient, place: TakeoverPlace): Promise<boolean> {
    try {
      if (await holder.answers(takeoverTimeoutMs)) return false;
      this.#takenOver(client, holder, place);
      await holder.drop(new SshError("timeout", "expected an answer, because another connection wants the port"));
      return true;
    } finally {
      this.#asked.delete(holder);
    }
  }
}

/** Whether both are of the same user, or also of the same key. */
function isSameOwner(one: TakeoverClient, other: TakeoverClient, policy: TakeoverPolicy): boolean {
  if (one.login === undefined || one.account !== other.account) return false;
  const [ours, theirs] = [one.lastKey, other.lastKey];
  return policy === "user" || (ours !== undefined && theirs !== undefined && equal(ours, theirs));
}

/** Returns the key of a place in a map. */
export function placeKey({ port, path = String(port) }: TakeoverPlace): string {
  return path;
}
