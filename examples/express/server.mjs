/** An Express application whose visitors come through an SSH server. It opens no public port of its own. @module */
import http from "node:http";
import { attach, fingerprint, privateKeyFile, ReverseTunnel } from "@postern/node";
import express from "express";

const required = ["POSTERN_HOST", "POSTERN_USER", "POSTERN_KEY", "POSTERN_HOST_KEY"];
const missing = required.filter((name) => !process.env[name]);
if (missing.length > 0) {
  console.error(`expected ${missing.join(", ")} in the environment, got none: see README.md`);
  process.exit(1);
}
const { POSTERN_HOST, POSTERN_PORT = "22", POSTERN_USER, POSTERN_KEY, POSTERN_HOST_KEY } = process.env;
const { POSTERN_REMOTE_ADDRESS = "localhost", POSTERN_REMOTE_PORT = "8080", HEALTH_PORT = "9000" } = process.env;

const app = express();
app.disable("x-powered-by");
app.get("/", (request, response) => {
  response.type("text/plain").send(`hello ${request.ip}\n`);
});
app.post("/orders", express.json(), (request, response) => {
  response.status(201).json({ ordered: request.body });
});

const tunnel = new ReverseTunnel({
  host: POSTERN_HOST,
  port: Number(POSTERN_PORT),
  user: POSTERN_USER,
  auth: [privateKeyFile(POSTERN_KEY)],
  hostKey: fingerprint(POSTERN_HOST_KEY),
  // The network may be down when the container starts.
  reconnect: { mode: "always", backoff: { factor: 2, maxIntervalMs: 60_000 } },
  // A port that is denied ends the process, so that its supervisor reports it.
  exitOnForwardFailure: true,
});
tunnel.addEventListener("state", ({ state, reason }) => console.log("tunnel:", state, reason?.message ?? ""));

// Answers the HEALTHCHECK of the Dockerfile: 200 while visitors can reach the application.
const health = http.createServer((_request, response) => {
  response.writeHead(tunnel.forwardings.some(({ state }) => state === "open") ? 200 : 503).end();
});
health.listen(Number(HEALTH_PORT), "127.0.0.1");

for (const signal of ["SIGTERM", "SIGINT"]) {
  // Frees the port and lets responses finish. Docker kills the process after 10 s.
  process.once(signal, () => void tunnel.close({ drainMs: 8_000 }));
}
try {
  const [listener] = await Promise.all([
    // Waits for the port if the server still holds it for a process that crashed.
    tunnel.listen({ address: POSTERN_REMOTE_ADDRESS, port: Number(POSTERN_REMOTE_PORT), wait: true }),
    tunnel.connect(),
  ]);
  attach(listener, app);
  console.log(`port ${listener.port} of ${POSTERN_HOST} leads here`);
  await tunnel.closed;
} catch (error) {
  // A signal aborts a login.
  if (error.code !== "aborted") {
    console.error(error.message);
    process.exitCode = 1;
  }
  await tunnel.close();
}
health.close();
