/**
 * When to connect again, and when not to. By the code of the error, while no login has succeeded and after one has:
 *
 * | code | before the first login | after |
 * |---|---|---|
 * | `hostkey`: the server proved that it has a key, and the key was refused | final | slow |
 * | `auth`: the server refused the login | final | slow |
 * | `denied`: a policy | final | slow |
 * | `key`: a key of the program cannot be read | final | slow |
 * | `misuse`, `aborted`: the program's mistake, and its wish | final | final |
 * | `negotiation`: the algorithms do not match | slow | slow |
 * | `busy`, and any connection that ends twice in a row before the host key | after 15 s | after 15 s |
 * | `kex`: among others a malformed host key, or a bad signature by it | retry | retry |
 * | `version`: no SSH there, such as a captive portal | retry | retry |
 * | `credentials`: a vault or an agent of ours failed | retry | retry |
 * | `connect`, `timeout`, `closed`, `disconnected`, `protocol`, `mac`, `limit`, `refused` | retry | retry |
 *
 * *final* ends the tunnel, unless `reconnect.final` decides otherwise. *retry* waits as the options say, *slow* at least a minute. Before the first
 * login anything is tried again only in mode `always`. What nobody's key vouches for is never final: whoever can inject a packet could end the tunnel.
 * @module
 */
import type { SshError } from "@postern/wire";

/** How the time between attempts grows. It starts again at `intervalMs` once a connection has been open for 30 s. */
export interface BackoffOptions {
  /** each attempt waits so many times as long as the one before; default 1 */
  readonly factor: number;
  /** but never longer than this, what is added at random aside; default 5 minutes */
  readonly maxIntervalMs: number;
  /** up to this part of the time is added at random, so that a fleet does not come back in one instant; default 0.1 */
  readonly jitter: number;
}

/** What happens when the connection is lost. */
export interface ReconnectOptions {
  /** `established` (default): a connection that was open is made again; `always`: a first login that fails is tried again, too */
  readonly mode: "never" | "established" | "always";
  /** milliseconds before the first attempt; default 5 s */
  readonly intervalMs: number;
  /** attempts in a row; default unlimited */
  readonly maxRetries: number;
  readonly backoff: BackoffOptions;
  /**
   * Whether a failure ends the tunnel: `true` does; anything else tries again, within `mode` and `maxRetries`. An error that it throws ends the
   * tunnel. The default ends it for `misuse`, and before the first login succeeds for `hostkey`, `auth`, `key` and `denied`.
   */
  readonly final?: ((error: SshError) => boolean) | undefined;
}

/** sshd keeps an address out while it has more than 15 s of penalties (PerSourcePenalties). */
const penaltyMs = 15_000;

/** Between attempts that the same credentials, trust or algorithms will probably fail again. */
const slowMs = 60_000;

/** Credentials, trust and policy: a first login that they refuse is a mistake of the setup. */
const refusals: readonly string[] = ["auth", "hostkey", "denied", "key"];

/** The default of `reconnect.final`. After a success, a refusal may be an unmounted home, a PAM outage, or somebody in the middle. */
export function isFinal({ code }: SshError, established: boolean): boolean {
  return code === "misuse" || code === "aborted" || (!established && refusals.includes(code));
}

/** A connection that was open for so long ends the backoff; a shorter one may be a server that drops whoever has logged in. */
const stableMs = 30_000;

/** How long to wait before each attempt. */
export class Backoff {
  readonly #options: ReconnectOptions;
  readonly #random: () => number;
  /** waits since the last connection that was stable */
  #waits = 0;
  /** how often in a row the server dropped us before its host key was seen */
  #turnedAway = 0;
  #openedAt = 0;
  readonly #hosts: number;
  /** failures in a row that the next host may not share */
  #refused = 0;

  /**
   * @param random a fraction from 0 to 1
   * @param hosts how many hosts are dialled in turn
   */
  constructor(options: ReconnectOptions, random: () => number, hosts = 1) {
    this.#options = options;
    this.#random = random;
    this.#hosts = hosts;
  }

  opened(): void {
    this.#openedAt = performance.now();
    this.#turnedAway = 0;
  }

  lost(): void {
    if (performance.now() - this.#openedAt >= stableMs) this.#waits = 0;
  }

  failed(unseen: boolean): void {
    this.#turnedAway = unseen ? this.#turnedAway + 1 : 0;
  }

  /** Milliseconds before the next attempt, after that failure. */
  next({ code }: SshError): number {
    const { intervalMs, backoff } = this.#options;
    const { factor, maxIntervalMs, jitter } = backoff;
    // 0 ms stay 0 ms however often the factor is applied: without the limit they would be NaN in the end.
    const times = Math.min(factor ** this.#waits++, Number.MAX_VALUE);
    const grown = Math.min(intervalMs * times, Math.max(maxIntervalMs, intervalMs));
    // A client that is being punished may see only a reset: once is chance, twice is a sign.
    const punished = code === "busy" || this.#turnedAway > 1;
    const isRefusal = code === "negotiation" || refusals.includes(code);
    this.#refused = isRefusal ? this.#refused + 1 : 0;
    // With several hosts the wait comes once each of them has refused.
    const slow = isRefusal && this.#refused >= this.#hosts;
    return Math.round(Math.max(grown, slow ? slowMs : punished ? penaltyMs : 0) * (1 + jitter * this.#random()));
  }
}
