/** When to connect again, and when not to. @module */
import type { SshError } from "@postern/wire";

/** How the time between attempts grows. */
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
  /** `established` (default): a connection that was open is made again; `always`: a first logon that fails is tried again, too */
  readonly mode: "never" | "established" | "always";
  /** milliseconds before the first attempt; default 5 s */
  readonly intervalMs: number;
  /** attempts in a row; default unlimited */
  readonly maxRetries: number;
  readonly backoff: BackoffOptions;
}

/** sshd keeps an address out while it has more than 15 s of penalties (PerSourcePenalties). */
const penaltyMs = 15_000;

/** Credentials, trust and policy do not get better by asking again, and asking again is punished. */
export function isFinal(error: SshError): boolean {
  return ["auth", "hostkey", "denied", "key", "misuse", "aborted"].includes(error.code);
}

/**
 * Milliseconds to wait before an attempt.
 *
 * @param attempt 1 for the first
 * @param turnedAway how often in a row the host dropped us before it said who it is
 * @param chance from 0 to 1
 */
export function waitBefore(
  options: ReconnectOptions,
  attempt: number,
  error: SshError,
  turnedAway: number,
  chance: number,
): number {
  const { factor, maxIntervalMs, jitter } = options.backoff;
  // 0 ms stay 0 ms however often the factor is applied: without the limit they would be NaN in the end.
  const times = Math.min(factor ** (attempt - 1), Number.MAX_VALUE);
  const grown = Math.min(options.intervalMs * times, Math.max(maxIntervalMs, options.intervalMs));
  // A client that is being punished may see only a reset: once is chance, twice is a sign.
  const punished = error.code === "busy" || turnedAway > 1;
  return Math.round(Math.max(grown, punished ? penaltyMs : 0) * (1 + jitter * chance));
}
