/** Makes a database of this network reachable for programs on an SSH server, and only for these. @module */
import { fingerprint, privateKeyFile, ReverseTunnel } from "@postern/node";

const host = setting("POSTERN_HOST");
const target = {
  host: setting("POSTERN_TARGET_HOST", "127.0.0.1"),
  port: Number(setting("POSTERN_TARGET_PORT", "6379")),
};
const tunnel = new ReverseTunnel({
  host,
  port: Number(setting("POSTERN_PORT", "22")),
  user: setting("POSTERN_USER"),
  auth: [privateKeyFile(setting("POSTERN_KEY"))],
  hostKey: fingerprint(setting("POSTERN_HOST_KEY")),
  reconnect: { mode: "always", backoff: { factor: 2, maxIntervalMs: 60_000 } },
  // A port that is denied ends the process, so that its supervisor reports it.
  exitOnForwardFailure: true,
});
tunnel.addEventListener("state", ({ state, reason }) => console.log(`tunnel: ${state}`, reason?.message ?? ""));
tunnel.addEventListener("visitorerror", ({ error }) => console.log(`visitor: ${error.message}`));
// Lets queries finish.
for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => void tunnel.close({ drainMs: 5_000 }));

try {
  const [, forwarding] = await Promise.all([
    tunnel.connect(),
    tunnel.forward({
      // The loopback addresses of the server, whatever its GatewayPorts permits. Never "" or "0.0.0.0" for a database.
      address: "localhost",
      port: Number(setting("POSTERN_REMOTE_PORT", "6379")),
      wait: true,
      target,
      onOpen: ({ origin }) => {
        console.log(`visitor: ${origin.host}, port ${origin.port}`);
        return true;
      },
    }),
  ]);
  console.log(`port ${forwarding.port} on ${host} leads to ${target.host}, port ${target.port}`);
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
