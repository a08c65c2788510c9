/** What `serve` is told, and the checking of it. @module */
import { checkOptions } from "@postern/ssh";
import { describeType, expectSignal, maxTimerMs, SshError } from "@postern/wire";

/** Options of `serve`: bounds on what a visitor may cost. */
export interface ServeOptions {
  /** bytes of a request line and its fields together; default 16 KiB. More is answered with 431, or 414 when the target alone is longer. */
  readonly maxHeaderBytes?: number;
  /** fields of a request; default 100 */
  readonly maxHeaders?: number;
  /** milliseconds from the first byte of a request (or from the connection) to the end of its head; default 30 s, then 408 */
  readonly headerTimeoutMs?: number;
  /** milliseconds a connection may wait for its next request; default 60 s. Visitors are told so in Keep-Alive. */
  readonly keepAliveTimeoutMs?: number;
  /** milliseconds a visitor may send no byte of content that is waited for, or take to read 64 KiB of a response; default 120 s */
  readonly idleTimeoutMs?: number;
  /**
   * milliseconds a visitor may take to send a whole request, head and content; default 300 s, then 408. Time during which the handler does
   * not read does not count.
   */
  readonly requestTimeoutMs?: number;
  /**
   * bytes of a request's content; default 16 MiB. More is answered with 413, and so is content in more than 1024 + `maxBodyBytes` / 256
   * pieces, because each piece costs memory.
   */
  readonly maxBodyBytes?: number;
  /**
   * connections open at once; default 1000. A further one replaces the one that has been waiting longest for its next request. If there is
   * none, the visitor gets 503.
   */
  readonly maxConnections?: number;
  /** cuts all connections and takes no more; to end in good order, cancel the forwarding */
  readonly signal?: AbortSignal | undefined;
}

/** Options with the defaults filled in, and what is not for choosing. */
export interface ServeLimits extends Required<Omit<ServeOptions, "signal">> {
  /** content the handler left unread is read up to this, so that the connection can go on */
  readonly maxDiscardBytes: number;
  /** how long a visitor may take to read the end of its last response */
  readonly lingerMs: number;
  /** visitors beyond `maxConnections` that get an answer at the same time; the rest are disconnected without one */
  readonly maxRejections: number;
}

const defaults: ServeLimits = {
  maxHeaderBytes: 16 * 1024,
  maxHeaders: 100,
  headerTimeoutMs: 30_000,
  keepAliveTimeoutMs: 60_000,
  idleTimeoutMs: 120_000,
  requestTimeoutMs: 300_000,
  maxBodyBytes: 16 * 1024 * 1024,
  maxConnections: 1000,
  maxDiscardBytes: 256 * 1024,
  lingerMs: 5_000,
  maxRejections: 64,
};
const chosen = [
  "maxHeaderBytes",
  "maxHeaders",
  "headerTimeoutMs",
  "keepAliveTimeoutMs",
  "idleTimeoutMs",
  "requestTimeoutMs",
  "maxBodyBytes",
  "maxConnections",
] as const;

/** @throws SshError `misuse` for options that are unknown, of a wrong type or out of range */
export function checkServeOptions(options: ServeOptions): ServeLimits {
  checkOptions("serve", options, [...chosen, "signal"]);
  expectSignal(options.signal);
  const limits: Record<(typeof chosen)[number], number> & ServeLimits = { ...defaults };
  for (const name of chosen) {
    const value = options[name];
    if (value === undefined) continue;
    const most = name.endsWith("Ms") ? maxTimerMs : Number.MAX_SAFE_INTEGER;
    if (!(typeof value === "number" && value >= 1 && value <= most)) {
      const got = typeof value === "number" ? value : describeType(value);
      throw new SshError("misuse", `expected ${name} to be a number from 1 to ${most}, got ${got}`);
    }
    limits[name] = value;
  }
  return limits;
}
