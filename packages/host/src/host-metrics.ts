/** Metrics of a TunnelHost, as OpenMetrics text. @module */
import { encodeOpenMetrics, type MetricFamily, type MetricSample } from "@postern/ssh";
import type { HostClient } from "./client-view.ts";
import {
  HostClientEvent,
  type HostEvent,
  HostForwardingEvent,
  HostVisitorEvent,
  HostWorkerEvent,
  LoginEvent,
  RefusalEvent,
  TakeoverEvent,
} from "./events.ts";

/** Counts from the start of the host. Every label has few values, which no peer can choose. */
export class HostCounters {
  connections = 0;
  forwardings = 0;
  visitors = 0;
  takeovers = 0;
  workersClosed = 0;
  revoked = 0;
  reloads = 0;
  /** Of clients that have disconnected. */
  bytesIn = 0;
  bytesOut = 0;
  rekeys = 0;
  /** Refused attempts by method. */
  readonly loginsRefused: Map<string, number> = new Map();
  readonly loginsAccepted: Map<string, number> = new Map();
  /** By `what` and the name of the limit, separated by a space. */
  readonly refusals: Map<string, number> = new Map();

  count(event: HostEvent): void {
    if (event instanceof HostClientEvent) {
      if (event.type === "clientopened") this.connections++;
      else this.#ended(event.client);
    } else if (event instanceof LoginEvent) increment(this.loginsAccepted, event.method);
    else if (event instanceof RefusalEvent) increment(this.refusals, `${event.what} ${event.limit ?? "none"}`);
    else if (event instanceof HostForwardingEvent) {
      if (event.type === "forwardingopened") this.forwardings++;
    } else if (event instanceof HostVisitorEvent) this.visitors++;
    else if (event instanceof TakeoverEvent) this.takeovers++;
    else if (event instanceof HostWorkerEvent) this.workersClosed++;
    else event satisfies never;
  }

  loginRefused(method: string): void {
    increment(this.loginsRefused, method);
  }

  #ended({ bytesIn, bytesOut, rekeys }: HostClient): void {
    this.bytesIn += bytesIn;
    this.bytesOut += bytesOut;
    this.rekeys += rekeys;
  }
}

function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** Encodes the counters, and the state of the connected clients. */
export function encodeHostMetrics(counters: HostCounters, clients: readonly HostClient[], memory: number): string {
  const sum = (value: (client: HostClient) => number): number =>
    clients.reduce((total, client) => total + value(client), 0);
  const loggedIn = clients.filter(({ user }) => user !== undefined).length;
  const counter = (name: string, help: string, samples: number | readonly MetricSample[]): MetricFamily =>
    family("counter", name, help, samples);
  const gauge = (name: string, help: string, samples: number | readonly MetricSample[]): MetricFamily =>
    family("gauge", name, help, samples);
  return encodeOpenMetrics([
    counter("connections", "Connections of clients that were served.", counters.connections),
    gauge("clients", "Connected clients.", [
      { labels: { state: "login" }, value: clients.length - loggedIn },
      { labels: { state: "ready" }, value: loggedIn },
    ]),
    counter("logins", "Attempts to log in, without queries for keys.", [
      ...samplesOf(counters.loginsAccepted, (method) => ({ method, outcome: "accepted" })),
      ...samplesOf(counters.loginsRefused, (method) => ({ method, outcome: "refused" })),
    ]),
    counter("refusals", "Refusals, by the limit that was reached.", [
      ...samplesOf(counters.refusals, (key) => {
        const [what = "", limit = ""] = key.split(" ");
        return { what, limit };
      }),
    ]),
    counter("forwardings_opened", "Ports and sockets that the host began to listen on.", counters.forwardings),
    gauge(
      "forwardings",
      "Ports and sockets that the host listens on.",
      sum(({ forwardings }) => forwardings.length),
    ),
    counter("visitors_accepted", "Visitors for whom a channel was opened.", counters.visitors),
    gauge(
      "visitors",
      "Connected visitors.",
      sum(({ forwardings }) => forwardings.reduce((total, { open }) => total + open, 0)),
    ),
    gauge(
      "channels",
      "Channels of visitors and direct connections.",
      sum(({ channels }) => channels),
    ),
    counter("received_bytes", "Bytes received from clients.", counters.bytesIn + sum(({ bytesIn }) => bytesIn)),
    counter("sent_bytes", "Bytes sent to clients.", counters.bytesOut + sum(({ bytesOut }) => bytesOut)),
    counter("rekeys", "Key exchanges after the first.", counters.rekeys + sum(({ rekeys }) => rekeys)),
    counter("takeovers", "Silent clients whose port another connection of the user got.", counters.takeovers),
    counter("workers_closed", "Worker processes that ended before the host.", counters.workersClosed),
    counter("revoked_clients", "Clients that were disconnected because of a revocation.", counters.revoked),
    counter("reloads", "Calls of reload.", counters.reloads),
    gauge("memory_bytes", "Memory that clients and channels may use, of limits.totalMemory.", memory),
  ]);
}

function family(
  type: MetricFamily["type"],
  name: string,
  help: string,
  samples: number | readonly MetricSample[],
): MetricFamily {
  const list = typeof samples === "number" ? [{ value: samples }] : samples;
  return { name: `postern_host_${name}`, type, help, samples: list };
}

function samplesOf(
  counts: ReadonlyMap<string, number>,
  labels: (key: string) => Readonly<Record<string, string>>,
): readonly MetricSample[] {
  return [...counts].map(([key, value]) => ({ labels: labels(key), value }));
}
