/** The figures of a tunnel as OpenMetrics text. @module */
import { encodeOpenMetrics, type MetricFamily } from "@postern/ssh";
import type { TunnelState } from "./events.ts";
import type { Forwarding } from "./forwarding.ts";
import type { TunnelStats } from "./stats.ts";

const states: readonly TunnelState[] = ["new", "connecting", "authenticating", "open", "waiting", "closed"];

/** The part of a `ReverseTunnel` that has figures. */
export interface MeteredTunnel {
  readonly state: TunnelState;
  readonly forwardings: readonly Forwarding[];
  stats(): TunnelStats;
}

/**
 * Returns the figures of a tunnel as OpenMetrics 1.0 text. Its content type is `openMetricsType`.
 * `tunnel.metrics()` of `@postern/node` returns the same.
 */
export function tunnelMetrics(tunnel: MeteredTunnel): string {
  return encodeOpenMetrics(familiesOf(tunnel));
}

/**
 * Returns the figures of several tunnels as OpenMetrics 1.0 text, with the label `tunnel`. Its values are the keys of
 * the map, so use names that the program or its user has chosen.
 */
export function tunnelsMetrics(tunnels: ReadonlyMap<string, MeteredTunnel>): string {
  const families = new Map<string, MetricFamily>();
  for (const [name, tunnel] of tunnels) {
    for (const { samples, ...family } of familiesOf(tunnel)) {
      const named = samples.map(({ labels, value }) => ({ labels: { tunnel: name, ...labels }, value }));
      families.set(family.name, { ...family, samples: [...(families.get(family.name)?.samples ?? []), ...named] });
    }
  }
  return encodeOpenMetrics([...families.values()]);
}

function familiesOf(tunnel: MeteredTunnel): readonly MetricFamily[] {
  const stats = tunnel.stats();
  return [
    {
      name: "postern_tunnel_state",
      type: "gauge",
      help: "1 for the state of the tunnel, 0 for the others.",
      samples: states.map((state) => ({ labels: { state }, value: state === tunnel.state ? 1 : 0 })),
    },
    gauge("postern_tunnel_forwardings", "Forwardings that the server listens for.", openForwardings(tunnel)),
    gauge("postern_tunnel_visitors", "Visitors that are connected.", stats.open),
    counter("postern_tunnel_visitors_accepted", "Visitors that were accepted.", stats.accepted),
    counter("postern_tunnel_visitors_refused", "Visitors that were refused.", stats.refused),
    counter("postern_tunnel_bytes_in", "Bytes that visitors sent.", stats.bytesIn),
    counter("postern_tunnel_bytes_out", "Bytes that were sent to visitors.", stats.bytesOut),
    counter("postern_tunnel_stalls", "Writes that had to wait for the window of the server.", stats.stalls),
    counter("postern_tunnel_wire_bytes_in", "Bytes received on the wire, with all overhead.", stats.wireBytesIn),
    counter("postern_tunnel_wire_bytes_out", "Bytes sent on the wire, with all overhead.", stats.wireBytesOut),
    counter("postern_tunnel_rekeys", "Key exchanges after the first one of each connection.", stats.rekeys),
    counter("postern_tunnel_reconnects", "Connections after the first one.", stats.reconnects),
    ...(stats.roundTripMs === undefined
      ? []
      : [gauge("postern_tunnel_round_trip_seconds", "Round trip of the last keepalive.", stats.roundTripMs / 1000)]),
  ];
}

function openForwardings(tunnel: MeteredTunnel): number {
  return tunnel.forwardings.filter(({ state }) => state === "open").length;
}

function gauge(name: string, help: string, value: number): MetricFamily {
  return { name, type: "gauge", help, samples: [{ value }] };
}

function counter(name: string, help: string, value: number): MetricFamily {
  return { name, type: "counter", help, samples: [{ value }] };
}
