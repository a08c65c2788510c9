/** What `serve` is told, and the checking of it. @module */
import { checkOptions } from "@postern/ssh";
import { SshError } from "@postern/wire";

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
  /** milliseconds a visitor may send no byte of content that is waited for, or take no byte of a response; default 120 s */
  readonly idleTimeoutMs?: number;
  /** cuts all connections and takes no more; to end in good order, cancel the forwarding */
  readonly signal?: AbortSignal | undefined;
}

/** Options with the defaults filled in, and what is not for choosing. */
export interface ServeLimits extends Required<Omit<ServeOptions, "signal">> {
  /** content the handler left unread is read up to this, so that the connection can go on */
  readonly maxDiscardBytes: number;
  /** how long a visitor may take to read the end of its last response */
  readonly lingerMs: number;
}

const defaults: ServeLimits = {
  maxHeaderBytes: 16 * 1024,
  maxHeaders: 100,
  headerTimeoutMs: 30_000,
  keepAliveTimeoutMs: 60_000,
  idleTimeoutMs: 120_000,
  maxDiscardBytes: 256 * 1024,
  lingerMs: 5_000,
};
const chosen = ["maxHeaderBytes", "maxHeaders", "headerTimeoutMs", "keepAliveTimeoutMs", "idleTimeoutMs"] as const;
const longestTimerMs = 2 ** 31 - 1;

/** @throws SshError `misuse` for options that are unknown or out of range */
export function checkServeOptions(options: ServeOptions): ServeLimits {
  checkOptions("serve", options, [...chosen, "signal"]);
  const limits: Record<(typeof chosen)[number], number> & ServeLimits = { ...defaults };
  for (const name of chosen) {
    const value = options[name];
    if (value === undefined) continue;
    const most = name.endsWith("Ms") ? longestTimerMs : Number.MAX_SAFE_INTEGER;
    if (!(value > 0 && value <= most)) throw new SshError("misuse", `expected ${name} from 1 to ${most}, got ${value}`);
    limits[name] = value;
  }
  return limits;
}
