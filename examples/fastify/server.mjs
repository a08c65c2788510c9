/** A Fastify server whose visitors come through an SSH server. It does not listen on this machine. @module */
import { attach, fingerprint, privateKeyFile, ReverseTunnel } from "@postern/node";
import Fastify from "fastify";

const required = ["POSTERN_HOST", "POSTERN_USER", "POSTERN_KEY", "POSTERN_HOST_KEY"];
const missing = required.filter((name) => !process.env[name]);
if (missing.length > 0) {
  console.error(`expected ${missing.join(", ")} in the environment, got none: see README.md`);
  process.exit(1);
}
const { POSTERN_HOST, POSTERN_PORT = "22", POSTERN_USER, POSTERN_KEY, POSTERN_HOST_KEY } = process.env;
const { POSTERN_REMOTE_ADDRESS = "localhost", POSTERN_REMOTE_PORT = "8080" } = process.env;

const app = Fastify({ logger: true });
app.get("/", async (request) => `hello ${request.ip}\n`);
app.post("/orders", async (request, reply) => {
  reply.code(201);
  return { ordered: request.body };
});

const tunnel = new ReverseTunnel({
  host: POSTERN_HOST,
  port: Number(POSTERN_PORT),
  user: POSTERN_USER,
  auth: [privateKeyFile(POSTERN_KEY)],
  hostKey: fingerprint(POSTERN_HOST_KEY),
  reconnect: { mode: "always", backoff: { factor: 2, maxIntervalMs: 60_000 } },
  exitOnForwardFailure: true,
});
tunnel.addEventListener("state", ({ state, reason }) => app.log.info({ state, reason: reason?.message }, "tunnel"));

for (const signal of ["SIGTERM", "SIGINT"]) {
  // Frees the port and lets responses finish.
  process.once(signal, () => void tunnel.close({ drainMs: 8_000 }));
}
try {
  await app.ready();
  const [listener] = await Promise.all([
    // Waits for the port if the server still holds it for a process that crashed.
    tunnel.listen({ address: POSTERN_REMOTE_ADDRESS, port: Number(POSTERN_REMOTE_PORT), wait: true }),
    tunnel.connect(),
  ]);
  attach(listener, app.server);
  app.log.info(`port ${listener.port} of ${POSTERN_HOST} leads here`);
  await tunnel.closed;
} catch (error) {
  // A signal aborts a login.
  if (error.code !== "aborted") {
    app.log.fatal(error.message);
    process.exitCode = 1;
  }
  await tunnel.close();
}
// Runs the `onClose` hooks of the plugins, after the last response.
await app.close();
