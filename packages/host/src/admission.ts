/** Who is let in at all: startups, penalties of sources, and the number of connections. @module */
import type { Random } from "@postern/crypto";
import { sourceOf } from "./ip.ts";
import type { HostLimits, PenaltyLimits } from "./options.ts";

/** Why a client was turned away before it could say anything. */
export type TurnedAway = "closing" | "connections" | "startups" | "penalty";

/** What a client did to earn its source a penalty. */
export type Offence = "authFail" | "noAuth" | "grace";

type AdmissionLimits = Pick<HostLimits, "connections" | "startups" | "penalties">;

/** Counts connections that have not logged in, and remembers sources that behaved badly. */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #random: Random;
  readonly #penalties: Penalties | undefined;
  #startups = 0;

  constructor(limits: AdmissionLimits, random: Random, now: () => number) {
    this.#limits = limits;
    this.#random = random;
    this.#penalties = limits.penalties === false ? undefined : new Penalties(limits.penalties, now);
  }

  /** Whether one more client may come in; undefined: it may, and counts until `loggedInOrGone`. */
  enter(host: string | undefined, connections: number): TurnedAway | undefined {
    if (connections >= this.#limits.connections) return "connections";
    if (host !== undefined && this.#penalties?.refuses(sourceOf(host))) return "penalty";
    if (this.#dropsEarly()) return "startups";
    this.#startups++;
    return undefined;
  }

  /** The client has logged in, or is gone: its place is free. */
  loggedInOrGone(): void {
    this.#startups--;
  }

  punish(host: string | undefined, offence: Offence): void {
    if (host !== undefined) this.#penalties?.add(sourceOf(host), offence);
  }

  /** How long the answer to a wrong password waits, in milliseconds: it doubles with each failure of the source. */
  failed(host: string | undefined): number {
    return this.#penalties?.failed(host === undefined ? "" : sourceOf(host)) ?? 0;
  }

  /** MaxStartups of sshd_config(5): from `start` on each is dropped with a chance that grows from `rate` percent to all at `full`. */
  #dropsEarly(): boolean {
    const { start, rate, full } = this.#limits.startups;
    if (this.#startups < start) return false;
    if (this.#startups >= full) return true;
    const chance = rate + ((100 - rate) * (this.#startups - start)) / (full - start);
    const [high = 0, low = 0] = this.#random(2);
    return ((high << 8) | low) % 100 < chance;
  }
}

interface Source {
  /** when the penalty is over */
  until: number;
  /** whether it has grown above the threshold, so that the source is refused until it is over */
  refused: boolean;
  /** wrong passwords, and when they are forgotten */
  failures: number;
  forgetAt: number;
}

/** PerSourcePenalties of sshd_config(5): each offence adds time; above a threshold the source is refused until it has passed. */
export class Penalties {
  readonly #limits: PenaltyLimits;
  readonly #now: () => number;
  readonly #sources = new Map<string, Source>();

  constructor(limits: PenaltyLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  get size(): number {
    return this.#sources.size;
  }

  refuses(source: string): boolean {
    const entry = this.#current(source);
    return entry?.refused === true && entry.until > this.#now();
  }

  add(source: string, offence: Offence): void {
    const { thresholdMs, maxMs } = this.#limits;
    const now = this.#now();
    const entry = this.#entry(source);
    if (entry.until <= now) entry.refused = false;
    entry.until = Math.min(Math.max(entry.until, now) + this.#limits[`${offence}Ms`], now + maxMs);
    if (entry.until - now > thresholdMs) entry.refused = true;
  }

  /** Counts a failure and gives the delay of its answer. */
  failed(source: string): number {
    const entry = this.#entry(source);
    const { authFailMs, delayMs, maxDelayMs } = this.#limits;
    entry.forgetAt = this.#now() + 4 * authFailMs;
    return Math.min(delayMs * 2 ** Math.min(entry.failures++, 20), maxDelayMs);
  }

  #entry(source: string): Source {
    const known = this.#current(source);
    if (known !== undefined) return known;
    this.#makeRoom();
    const made: Source = { until: 0, refused: false, failures: 0, forgetAt: 0 };
    this.#sources.set(source, made);
    return made;
  }

  #current(source: string): Source | undefined {
    const entry = this.#sources.get(source);
    if (entry === undefined || !isOver(entry, this.#now())) return entry;
    this.#sources.delete(source);
    return undefined;
  }

  /** The table is bounded: those that are over go first, then the oldest. */
  #makeRoom(): void {
    const { maxSources } = this.#limits;
    if (this.#sources.size < maxSources) return;
    const now = this.#now();
    for (const [source, entry] of this.#sources) if (isOver(entry, now)) this.#sources.delete(source);
    for (const source of this.#sources.keys()) {
      if (this.#sources.size < maxSources) return;
      this.#sources.delete(source);
    }
  }
}

function isOver({ until, forgetAt }: Source, now: number): boolean {
  return until <= now && forgetAt <= now;
}
