/** Statistics and the timeline of a tunnel. @module */
import type { ConnectionStats } from "@postern/ssh";
import * as Limits from "@postern/wire/limits";
import type { TunnelState } from "./events.ts";
import type { Forwarding, ForwardingState } from "./forwarding.ts";
import type { ForwardingStats } from "./forwarding-stats.ts";

/** Statistics of the connections to the server. */
export interface WireStats {
  /** bytes on the wire of all connections that were open, including protocol overhead */
  readonly wireBytesIn: number;
  readonly wireBytesOut: number;
  readonly rekeys: number;
}

/** Statistics since the tunnel was created. All values only grow, except `open` and `roundTripMs`. */
export interface TunnelStats extends ForwardingStats, WireStats {
  /** round trip of the last answered keepalive on the open connection, in milliseconds */
  readonly roundTripMs: number | undefined;
  readonly reconnects: number;
  readonly forwardings: ReadonlyMap<Forwarding, ForwardingStats>;
}

/** One state change. */
export interface TimelineEntry {
  /** milliseconds since 1970 */
  readonly at: number;
  readonly state: TunnelState | ForwardingState;
  /** the forwarding whose state changed; `undefined` if it was the tunnel's */
  readonly forwarding: string | undefined;
  readonly reason: string | undefined;
}

/** The last state changes, oldest first. */
export class Timeline {
  readonly #entries: TimelineEntry[] = [];

  get entries(): readonly TimelineEntry[] {
    return [...this.#entries];
  }

  add(state: TunnelState | ForwardingState, reason: Error | undefined, forwarding?: Forwarding): void {
    const name = forwarding && (forwarding.path ?? `${forwarding.address}:${forwarding.port ?? "?"}`);
    this.#entries.push({ at: Date.now(), state, forwarding: name, reason: reason?.message });
    if (this.#entries.length > Limits.timeline) this.#entries.shift();
  }
}

const nothing: ForwardingStats = { accepted: 0, open: 0, refused: 0, bytesIn: 0, bytesOut: 0, stalls: 0 };

export const nothingOnTheWire: WireStats = { wireBytesIn: 0, wireBytesOut: 0, rekeys: 0 };

/** Adds the figures of one more connection. */
export function sumOfWires(past: WireStats, connection: ConnectionStats | undefined): WireStats {
  return {
    wireBytesIn: past.wireBytesIn + (connection?.bytesIn ?? 0),
    wireBytesOut: past.wireBytesOut + (connection?.bytesOut ?? 0),
    rekeys: past.rekeys + (connection?.rekeys ?? 0),
  };
}

/** Sums the figures of several forwardings. */
export function sumOf(all: Iterable<ForwardingStats>): ForwardingStats {
  const sum = { ...nothing };
  for (const one of all) addFigures(sum, one);
  return sum;
}

/** Adds each figure to the one of the same name. */
export function addFigures<F extends Readonly<Record<keyof F, number>>>(
  sum: { -readonly [name in keyof F]: number },
  more: F,
): void {
  for (const name of Object.keys(more) as (keyof F)[]) sum[name] += more[name];
}
