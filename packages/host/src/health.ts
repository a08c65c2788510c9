/** A handler for health checks and metrics of a TunnelHost. @module */
import { openMetricsType } from "@postern/ssh";
import type { HostClient } from "./client-view.ts";

/** The parts of a request that {@link healthHandler} reads. A `Request` and the request of `node:http` have them. */
export interface HealthRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
}

/** The parts of a TunnelHost that {@link healthHandler} shows. */
export interface HealthSource {
  readonly state: "open" | "closing";
  readonly clients: readonly HostClient[];
  metrics(): string;
}

/**
 * Returns a handler of HTTP requests. `/health` answers with status 200 while the host is open, and with 503 once it is
 * closing. `/metrics` answers with the host's metrics as OpenMetrics text. Serve it to your own network only: metrics
 * show how much the host is used.
 *
 * @example
 * const health = healthHandler(host);
 * createServer(async (request, response) => {
 *   const answer = health(request);
 *   response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text());
 * }).listen(9090, "127.0.0.1");
 */
export function healthHandler(host: HealthSource): (request: HealthRequest) => Response {
  return ({ method = "GET", url = "/" }) => {
    if (method !== "GET" && method !== "HEAD")
      return respond(405, "method not allowed\n", { allow: "GET, HEAD" }, method);
    switch (pathOf(url)) {
      case "/health": {
        const { state, clients } = host;
        const body = `${JSON.stringify({ state, clients: clients.length })}\n`;
        return respond(state === "open" ? 200 : 503, body, { "content-type": "application/json" }, method);
      }
      case "/metrics":
        return respond(200, host.metrics(), { "content-type": openMetricsType }, method);
      default:
        return respond(404, "not found\n", {}, method);
    }
  };
}

function respond(status: number, body: string, headers: Readonly<Record<string, string>>, method: string): Response {
  const all = { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store", ...headers };
  return new Response(method === "HEAD" ? null : body, { status, headers: all });
}

/** The path of an absolute URL, as in a `Request`, or of the target that `node:http` passes. */
function pathOf(url: string): string | undefined {
  return /^(?:[a-z]+:\/\/[^/?#]*)?(\/[^?#]*)/i.exec(url)?.[1];
}
