/** Options of `serve`, their defaults and checks. @module */
import { checkOptions } from "@postern/ssh";
import { describeType, expectSignal, maxTimerMs, SshError } from "@postern/wire";

/** Options of `serve`: limits on what a visitor may use. */
export interface ServeOptions {
  /** Bytes of the request line and all fields, otherwise 431 (or 414 for the target alone). Default: 16 KiB. */
  readonly maxHeaderBytes?: number;
  /** Number of fields of a request. Default: 100. */
  readonly maxHeaders?: number;
  /** Milliseconds from the first byte of a request to the end of its head, then 408. Default: 30 s. */
  readonly headerTimeoutMs?: number;
  /** Milliseconds that a connection may wait for its next request. Default: 60 s. The Keep-Alive field announces it. */
  readonly keepAliveTimeoutMs?: number;
  /**
   * Milliseconds without a byte of content while the handler reads, or for a visitor to read 64 KiB of a response.
   * Default: 120 s.
   */
  readonly idleTimeoutMs?: number;
  /**
   * Milliseconds for a visitor to send a whole request, then 408. Default: 300 s. Time during which the handler does
   * not read does not count.
   */
  readonly requestTimeoutMs?: number;
  /**
   * Bytes of a request's content. Default: 16 MiB. Longer content is answered with 413. So is content that arrives in
   * more than 1024 + `maxBodyBytes` / 256 pieces, because each piece costs memory.
   */
  readonly maxBodyBytes?: number;
  /**
   * Number of open connections. Default: 1000. Another one replaces the connection that has waited longest for its next
   * request. If none is waiting, the visitor receives 503.
   */
  readonly maxConnections?: number;
  /** Resets all connections and accepts no more. To let responses finish, close the forwarding instead. */
  readonly signal?: AbortSignal | undefined;
}

/** Options with their defaults, and fixed limits. */
export interface ServeLimits extends Required<Omit<ServeOptions, "signal">> {
  /** Bytes of unread content to read and discard, so that the connection can be kept alive. */
  readonly maxDiscardBytes: number;
  /** Milliseconds for a visitor to read the end of its last response. */
  readonly lingerMs: number;
  /** Visitors that are sent 503 at the same time. Others are disconnected without a response. */
  readonly maxRejections: number;
}

const defaults: Required<Omit<ServeOptions, "signal">> = {
  maxHeaderBytes: 16 * 1024,
  maxHeaders: 100,
  headerTimeoutMs: 30_000,
  keepAliveTimeoutMs: 60_000,
  idleTimeoutMs: 120_000,
  requestTimeoutMs: 300_000,
  maxBodyBytes: 16 * 1024 * 1024,
  maxConnections: 1000,
};
const fixed = { maxDiscardBytes: 256 * 1024, lingerMs: 5_000, maxRejections: 64 };
const names = Object.keys(defaults) as (keyof typeof defaults)[];

/** @throws SshError `misuse` if an option is unknown, of the wrong type or out of range */
export function checkServeOptions(options: ServeOptions): ServeLimits {
  checkOptions("serve", options, [...names, "signal"]);
  expectSignal(options.signal);
  const limits: Record<(typeof names)[number], number> & ServeLimits = { ...defaults, ...fixed };
  for (const name of names) {
    const value = options[name];
    if (value === undefined) continue;
    const max = name.endsWith("Ms") ? maxTimerMs : Number.MAX_SAFE_INTEGER;
    if (!(typeof value === "number" && value >= 1 && value <= max)) {
      const got = typeof value === "number" ? value : describeType(value);
      throw new SshError("misuse", `expected ${name} to be a number from 1 to ${max}, got ${got}`);
    }
    limits[name] = value;
  }
  return limits;
}
