/** Makes the sshd of this machine reachable through a port of a public SSH server. @module */
import { fingerprint, privateKeyFile, ReverseTunnel } from "@postern/node";

const host = setting("POSTERN_HOST");
const tunnel = new ReverseTunnel({
  host,
  port: Number(setting("POSTERN_PORT", "22")),
  user: setting("POSTERN_USER"),
  auth: [privateKeyFile(setting("POSTERN_KEY"))],
  hostKey: fingerprint(setting("POSTERN_HOST_KEY")),
  // Also retries the first login: after a power cut, this machine may be up before its router.
  reconnect: { mode: "always", backoff: { factor: 2, maxIntervalMs: 60_000 } },
  // A port that is denied ends the process, so that its supervisor reports it.
  exitOnForwardFailure: true,
});
tunnel.addEventListener("state", ({ state, reason }) => console.log(`tunnel: ${state}`, reason?.message ?? ""));
for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => void tunnel.close());

try {
  const [, forwarding] = await Promise.all([
    tunnel.connect(),
    tunnel.forward({
      address: "localhost", // reachable only from the server itself
      port: Number(setting("POSTERN_REMOTE_PORT", "2222")),
      wait: true,
      target: { host: "127.0.0.1", port: Number(setting("POSTERN_TARGET_PORT", "22")) },
    }),
  ]);
  console.log(`port ${forwarding.port} on ${host} leads to this machine`);
  await tunnel.closed;
} catch (error) {
  // A signal aborts a login.
  if (error.code !== "aborted") {
    console.error(error.message);
    process.exitCode = 1;
  }
  await tunnel.close();
}

/** Returns a variable of the environment. */
function setting(name, fallback) {
  const value = process.env[name] || fallback;
  if (value !== undefined) return value;
  console.error(`expected a value in ${name}, got none: see README.md`);
  process.exit(1);
}
