/** Admission of new connections: their number, logins in progress, and penalties of sources. @module */
import type { Random } from "@postern/crypto";
import { type AddressList, sourceOf } from "./ip.ts";
import { addressListOf, type HostLimits, type PenaltyLimits } from "./limits.ts";

/** Why a connection was refused before its first byte. */
export type AdmissionRefusal =
  | "closing"
  /** No worker is running. */
  | "workers"
  | "connections"
  | "startups"
  | "startupsPerSource"
  | "penalties"
  | "totalMemory";

/** The reason for a penalty of a client's source. */
export type Offence = "authFail" | "noAuth" | "grace";

type AdmissionLimits = Pick<HostLimits, "connections" | "startups" | "startupsPerSource" | "sourceBits" | "penalties">;

/** Counts connections that have not logged in, and records penalties of sources. */
export class Admission {
  readonly #random: Random;
  readonly #now: () => number;
  #limits: AdmissionLimits;
  #penalties: Penalties | undefined;
  #exempt: AddressList | undefined;
  #startups = 0;
  /** Startups by source. A source without one has no entry. */
  readonly #perSource = new Map<string, number>();

  constructor(limits: AdmissionLimits, random: Random, now: () => number) {
    this.#random = random;
    this.#now = now;
    this.#limits = limits;
    this.limits = limits;
  }

  /** Replaces the limits. Penalties that were given remain, unless there are none any more. */
  set limits(limits: AdmissionLimits) {
    this.#limits = limits;
    if (limits.penalties === false) this.#penalties = undefined;
    else if (this.#penalties === undefined) this.#penalties = new Penalties(limits.penalties, this.#now);
    else this.#penalties.limits = limits.penalties;
    this.#exempt = limits.penalties === false ? undefined : addressListOf(limits.penalties.exempt);
  }

  /** Returns why a new connection is refused, or `undefined`. An admitted one is a startup until `startupEnded`. */
  enter(host: string | undefined, connections: number): AdmissionRefusal | undefined {
    if (connections >= this.#limits.connections) return "connections";
    if (this.#penaltiesOf(host)?.refuses(this.#sourceOf(host))) return "penalties";
    if (this.#dropsEarly()) return "startups";
    const source = this.#sourceOf(host);
    const startups = this.#perSource.get(source) ?? 0;
    if (source !== "" && startups >= this.#limits.startupsPerSource) return "startupsPerSource";
    this.#startups++;
    this.#perSource.set(source, startups + 1);
    return undefined;
  }

  /** Call when an admitted client has logged in or disconnected. */
  startupEnded(host?: string): void {
    this.#startups--;
    // After a change of `sourceBits`, the source may have another name.
    const source = this.#sourceOf(host);
    const startups = this.#perSource.get(source) ?? 0;
    if (startups > 1) this.#perSource.set(source, startups - 1);
    else this.#perSource.delete(source);
    if (this.#startups === 0) this.#perSource.clear();
  }

  punish(host: string | undefined, offence: Offence): void {
    this.#penaltiesOf(host)?.add(this.#sourceOf(host), offence);
  }

  /** Records a failed login. Returns the delay of its answer in milliseconds, which doubles with each failure. */
  failed(host: string | undefined): number {
    return this.#penalties?.failed(this.#sourceOf(host)) ?? 0;
  }

  /** The penalties that apply to an address: none to one that is not known or exempt. */
  #penaltiesOf(host: string | undefined): Penalties | undefined {
    return host === undefined || this.#exempt?.includes(host) ? undefined : this.#penalties;
  }

  #sourceOf(host: string | undefined): string {
    return host === undefined ? "" : sourceOf(host, this.#limits.sourceBits);
  }

  /** MaxStartups of sshd_config(5): the probability grows from `rate` percent at `start` to 100 at `full`. */
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
  /** When the penalty ends. */
  until: number;
  /** The penalty has exceeded the threshold, so the source is refused until it ends. */
  refused: boolean;
  /** Number of wrong passwords, and when it is reset. */
  failures: number;
  forgetAt: number;
}

/** PerSourcePenalties of sshd_config(5): offences add time. Above a threshold, a source waits until it has passed. */
export class Penalties {
  limits: PenaltyLimits;
  readonly #now: () => number;
  readonly #sources = new Map<string, Source>();

  constructor(limits: PenaltyLimits, now: () => number) {
    this.limits = limits;
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
    const { thresholdMs, maxMs } = this.limits;
    const now = this.#now();
    const entry = this.#entry(source);
    if (entry.until <= now) entry.refused = false;
    entry.until = Math.min(Math.max(entry.until, now) + this.limits[`${offence}Ms`], now + maxMs);
    if (entry.until - now > thresholdMs) entry.refused = true;
  }

  /** Records a failure and returns the delay of its answer. */
  failed(source: string): number {
    const entry = this.#entry(source);
    const { authFailMs, delayMs, maxDelayMs } = this.limits;
    entry.forgetAt = this.#now() + 4 * authFailMs;
    return Math.min(delayMs * 2 ** Math.min(entry.failures++, 20), maxDelayMs);
  }

  #entry(source: string): Source {
    const known = this.#current(source);
    if (known !== undefined) return known;
    this.#makeRoom();
    const created: Source = { until: 0, refused: false, failures: 0, forgetAt: 0 };
    this.#sources.set(source, created);
    return created;
  }

  #current(source: string): Source | undefined {
    const entry = this.#sources.get(source);
    if (entry === undefined || !isExpired(entry, this.#now())) return entry;
    this.#sources.delete(source);
    return undefined;
  }

  /** Bounds the table: removes expired sources first, then the oldest. */
  #makeRoom(): void {
    const { maxSources } = this.limits;
    if (this.#sources.size < maxSources) return;
    const now = this.#now();
    for (const [source, entry] of this.#sources) if (isExpired(entry, now)) this.#sources.delete(source);
    for (const source of this.#sources.keys()) {
      if (this.#sources.size < maxSources) return;
      this.#sources.delete(source);
    }
  }
}

function isExpired({ until, forgetAt }: Source, now: number): boolean {
  return until <= now && forgetAt <= now;
}
