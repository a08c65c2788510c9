/** A Hono application whose visitors come through an SSH server. It does not listen on this machine. @module */
import { fingerprint, privateKeyFile, ReverseTunnel, serve } from "@postern/node";
import { Hono } from "hono";
import { validator } from "hono/validator";

const required = ["POSTERN_HOST", "POSTERN_USER", "POSTERN_KEY", "POSTERN_HOST_KEY"];
const missing = required.filter((name) => !process.env[name]);
if (missing.length > 0) {
  console.error(`expected ${missing.join(", ")} in the environment, got none: see README.md`);
  process.exit(1);
}
const { POSTERN_HOST, POSTERN_PORT = "22", POSTERN_USER, POSTERN_KEY, POSTERN_HOST_KEY } = process.env;
const { POSTERN_REMOTE_ADDRESS = "localhost", POSTERN_REMOTE_PORT = "8080" } = process.env;

const app = new Hono();
// `serve` passes the visitor's address, which Hono makes `c.env`.
app.get("/", (c) => c.text(`hello ${c.env.origin.host}\n`));
const anyJson = validator("json", (value) => value);
app.post("/orders", anyJson, (c) => c.json({ ordered: c.req.valid("json") }, 201));

const tunnel = new ReverseTunnel({
  host: POSTERN_HOST,
  port: Number(POSTERN_PORT),
  user: POSTERN_USER,
  auth: [privateKeyFile(POSTERN_KEY)],
  hostKey: fingerprint(POSTERN_HOST_KEY),
  reconnect: { mode: "always", backoff: { factor: 2, maxIntervalMs: 60_000 } },
  exitOnForwardFailure: true,
});
tunnel.addEventListener("state", ({ state, reason }) => console.log("tunnel:", state, reason?.message ?? ""));

for (const signal of ["SIGTERM", "SIGINT"]) {
  // Frees the port and lets responses finish.
  process.once(signal, () => void tunnel.close({ drainMs: 8_000 }));
}
try {
  const [listener] = await Promise.all([
    // Waits for the port if the server still holds it for a process that crashed.
    tunnel.listen({ address: POSTERN_REMOTE_ADDRESS, port: Number(POSTERN_REMOTE_PORT), wait: true }),
    tunnel.connect(),
  ]);
  const service = serve(listener, app.fetch, { maxBodyBytes: 1024 * 1024, maxConnections: 100 });
  service.addEventListener("handlererror", ({ error }) => console.error(error));
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
