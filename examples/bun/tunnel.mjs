/** A web server of Bun that visitors reach through an SSH server. @module */
import { fingerprint, privateKeyFile, ReverseTunnel } from "@postern/node";

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  routes: { "/hello/:name": ({ params }) => new Response(`hello ${params.name}\n`) },
  fetch: () => new Response("served by Bun\n"),
});

const host = setting("POSTERN_HOST");
const tunnel = new ReverseTunnel({
  host,
  port: Number(setting("POSTERN_PORT", "22")),
  user: setting("POSTERN_USER"),
  auth: [privateKeyFile(setting("POSTERN_KEY"))],
  hostKey: fingerprint(setting("POSTERN_HOST_KEY")),
});
tunnel.addEventListener("state", ({ state, reason }) => console.log(`tunnel: ${state}`, reason?.message ?? ""));
for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => void tunnel.close({ drainMs: 5_000 }));

try {
  await tunnel.connect();
  const forwarding = await tunnel.forward({
    port: Number(setting("POSTERN_REMOTE_PORT", "8080")),
    target: { host: "127.0.0.1", port: server.port },
  });
  console.log(`port ${forwarding.port} on ${host} leads to this program`);
  await tunnel.closed;
} catch (error) {
  // A signal aborts a login.
  if (error.code !== "aborted") {
    console.error(error.message);
    process.exitCode = 1;
  }
  await tunnel.close();
}
await server.stop();

/** Returns a variable of the environment. */
function setting(name, fallback) {
  const value = Bun.env[name] || fallback;
  if (value !== undefined) return value;
  console.error(`expected a value in ${name}, got none: see README.md`);
  process.exit(1);
}
