/** The HTTP server for health checks and metrics. @module */
import { createServer, type Server } from "node:http";
import { openMetricsType } from "@postern/ssh";
import { type MeteredTunnel, tunnelsMetrics } from "@postern/tunnel";
import { isOpen, type TunnelStatus } from "./status.ts";

/** The parts of the manager that are shown. */
export interface HealthSource {
  readonly status: readonly TunnelStatus[];
  readonly metered: ReadonlyMap<string, MeteredTunnel>;
}

/** A server that listens. */
export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves `/healthz`, with status 200 if all tunnels and their forwardings are open and 503 otherwise, and `/metrics`.
 *
 * @throws the system's error if it cannot listen
 */
export function listenForHealth(source: HealthSource, address: string, port: number): Promise<HealthServer> {
  const server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000, keepAliveTimeout: 5_000 });
  server.maxConnections = 64;
  server.on("request", ({ method = "", url = "" }, response) => {
    const { status, type = "text/plain; charset=utf-8", body, ...more } = answer(source, method, url);
    response.writeHead(status, { "content-type": type, "cache-control": "no-store", ...more.headers });
    response.end(method === "HEAD" ? undefined : body);
  });
  server.on("clientError", (_, socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, address, () => {
      server.off("error", reject);
      server.on("error", () => {});
      const bound = server.address();
      resolve({ port: typeof bound === "object" ? (bound?.port ?? 0) : 0, close: () => close(server) });
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

interface Answer {
  readonly status: number;
  readonly type?: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function answer(source: HealthSource, method: string, url: string): Answer {
  if (method !== "GET" && method !== "HEAD")
    return { status: 405, body: "method not allowed\n", headers: { allow: "GET, HEAD" } };
  switch (url.split("?")[0]) {
    case "/healthz": {
      const { status } = source;
      const isHealthy = status.every(isOpen);
      const body = {
        status: isHealthy ? "open" : "degraded",
        tunnels: Object.fromEntries(status.map((one) => [one.name, healthOf(one)])),
      };
      return { status: isHealthy ? 200 : 503, type: "application/json", body: `${JSON.stringify(body)}\n` };
    }
    case "/metrics":
      return { status: 200, type: openMetricsType, body: tunnelsMetrics(source.metered) };
    default:
      return { status: 404, body: "not found\n" };
  }
}

/** Only states and counts: addresses and errors are for `postern status`. */
function healthOf({ state, forwardings }: TunnelStatus): Readonly<Record<string, unknown>> {
  const open = forwardings.filter((one) => one.state === "open").length;
  return { state, forwardings: forwardings.length, open };
}
