/** The HTTP endpoint for health checks and metrics. @module */
import { createServer, type Server } from "node:http";
import { healthHandler, type TunnelHost } from "@postern/node";
import type { ListenPlace } from "./setup.ts";

/** Longest wait for a request, and for an idle connection to send another one. */
const timeoutMs = 10_000;
const mostConnections = 64;

/** Serves `/health` and `/metrics`. @throws Error of the system if the port cannot be opened */
export function serveHealth(host: TunnelHost, { host: address, port }: ListenPlace): Promise<Server> {
  const health = healthHandler(host);
  const server = createServer(
    { requestTimeout: timeoutMs, headersTimeout: timeoutMs, keepAliveTimeout: timeoutMs },
    (request, response) => {
      const answer = health(request);
      answer.text().then(
        (text) => response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(text),
        () => response.destroy(),
      );
    },
  );
  server.maxConnections = mostConnections;
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: address, port }, () => {
      server.off("error", reject);
      server.on("error", () => {});
      resolve(server);
    });
  });
}
