/**
 * When to reconnect. Depends on the code of the error and on whether a login has succeeded before:
 *
 * | code | before the first login | after |
 * |---|---|---|
 * | `hostkey`: the server proved possession of a key that was refused | final | slow |
 * | `auth`: the server refused the login | final | slow |
 * | `denied`: a policy | final | slow |
 * | `key`, `passphrase`, `unsupported`: a key of the program cannot be read | final | slow |
 * | `misuse`, `aborted`: the program's mistake or request | final | final |
 * | `negotiation`: the algorithms do not match | slow | slow |
 * | `busy`, and any connection that ends twice in a row before the host key | after 15 s | after 15 s |
 * | `kex`: among others a malformed host key, or a bad signature by it | retry | retry |
 * | `version`: not an SSH server, such as a captive portal | retry | retry |
 * | `credentials`: a vault or an agent on our side failed | retry | retry |
 * | `credentials`, caused by `key`, `passphrase` or `unsupported`: a wrong key file | final | retry |
 * | `connect`, `timeout`, `closed`, `disconnected`, `protocol`, `mac`, `limit`, `refused` | retry | retry |
 *
 * *final* ends the tunnel, unless `reconnect.final` decides otherwise. *retry* waits as the options say, *slow* at
 * least a minute. Before the first login, failures are retried only in mode `always`. An error that is not
 * authenticated by the host key is never final, because an attacker who can inject one packet could end the tunnel.
 * @module
 */
import { SshError } from "@postern/wire";

/** How the time between attempts grows. It is reset to `intervalMs` once a connection has been open for 30 s. */
export interface BackoffOptions {
  /** each wait is this many times as long as the previous one; default 1 */
  readonly factor: number;
  /** the longest wait, before jitter is added; default 5 minutes */
  readonly maxIntervalMs: number;
  /** up to this fraction of the wait is added at random, so that many clients do not reconnect at once; default 0.1 */
  readonly jitter: number;
}

/** When and how often to reconnect. */
export interface ReconnectOptions {
  /**
   * `established` (default): reconnects after a connection was open; `always`: also retries a first login that fails;
   * `never`: the tunnel ends with its connection
   */
  readonly mode: "never" | "established" | "always";
  /** milliseconds before the first attempt; default 5 s */
  readonly intervalMs: number;
  /** attempts in a row; default unlimited */
  readonly maxRetries: number;
  readonly backoff: BackoffOptions;
  /**
   * Decides whether a failure ends the tunnel: `true` does; anything else retries, within `mode` and `maxRetries`. If
   * it throws, the tunnel ends with that error as the cause. The default returns `true` for `misuse` and `aborted`, and
   * before the first login for `hostkey`, `auth`, `denied`, `key`, `passphrase` and `unsupported`, and for
   * `credentials` with one of the last three as its cause.
   */
  readonly final?: ((error: SshError) => boolean) | undefined;
}

/** Thrown when a link could not be made. */
export class LinkFailure {
  readonly error: SshError;
  /** How far the link came. `reached`: the server dropped the connection before it showed its host key. */
  readonly at: "dial" | "reached" | "host key" | "login";

  constructor(error: SshError, at: LinkFailure["at"]) {
    this.error = error;
    this.at = at;
  }
}

/** sshd refuses an address with more than 15 s of penalties (PerSourcePenalties). */
const penaltyMs = 15_000;

/** Between attempts that will probably fail again, with the same credentials, trust or algorithms. */
const slowMs = 60_000;

/** Credentials, trust and policy. If they fail the first login, the setup is wrong. */
const refusals: readonly string[] = ["auth", "hostkey", "denied", "key", "passphrase", "unsupported"];

/**
 * The default of `reconnect.final`. After a success, a refusal may be an unmounted home directory, a PAM outage, or a
 * man in the middle.
 */
export function isFinal({ code, cause }: SshError, hasLoggedIn: boolean): boolean {
  const first = code === "credentials" && cause instanceof SshError ? cause.code : code;
  return code === "misuse" || code === "aborted" || (!hasLoggedIn && refusals.includes(first));
}

/**
 * A connection that was open for this long resets the backoff. A shorter one may be a server that drops every client
 * after login.
 */
const stableMs = 30_000;

/** Computes the wait before each attempt. */
export class Backoff {
  readonly #options: ReconnectOptions;
  readonly #random: () => number;
  /** waits since the last stable connection */
  #waits = 0;
  /** how often in a row the server dropped the connection before it showed its host key */
  #earlyDrops = 0;
  #openedAt = 0;
  readonly #hosts: number;
  /** failures in a row that the next host may not share */
  #refused = 0;

  /**
   * @param random returns a fraction from 0 to 1
   * @param hosts how many hosts are dialled in turn
   */
  constructor(options: ReconnectOptions, random: () => number, hosts = 1) {
    this.#options = options;
    this.#random = random;
    this.#hosts = hosts;
  }

  opened(): void {
    this.#openedAt = performance.now();
    this.#earlyDrops = 0;
  }

  lost(): void {
    if (performance.now() - this.#openedAt >= stableMs) this.#waits = 0;
  }

  failed({ error, at }: LinkFailure): void {
    // sshd drops penalized clients before it shows its host key. Timeouts and bad handshakes have other causes.
    const isDrop = at === "reached" && ["closed", "disconnected", "version"].includes(error.code);
    this.#earlyDrops = isDrop ? this.#earlyDrops + 1 : 0;
  }

  /** Returns the milliseconds before the next attempt, after this failure. */
  next({ code }: SshError): number {
    const { intervalMs, backoff } = this.#options;
    const { factor, maxIntervalMs, jitter } = backoff;
    // Without the limit, an interval of 0 ms would become 0 * Infinity = NaN.
    const times = Math.min(factor ** this.#waits++, Number.MAX_VALUE);
    const grown = Math.min(intervalMs * times, Math.max(maxIntervalMs, intervalMs));
    // sshd may drop a penalized client without an explanation. One drop is chance, two in a row suggest a penalty.
    const isPenalized = code === "busy" || this.#earlyDrops > 1;
    const isRefusal = code === "negotiation" || refusals.includes(code);
    this.#refused = isRefusal ? this.#refused + 1 : 0;
    // With several hosts the long wait begins once each of them has refused.
    const isSlow = isRefusal && this.#refused >= this.#hosts;
    return Math.round(Math.max(grown, isSlow ? slowMs : isPenalized ? penaltyMs : 0) * (1 + jitter * this.#random()));
  }
}
