/** An SSH server for several users. Each may listen on one port, and has a name that leads there. @module */
import { readFile, writeFile } from "node:fs/promises";
import { generatePrivateKey, policy, readPrivateKey, sha256Fingerprint, TunnelHost } from "@postern/node";
import { createRouter } from "./router.mjs";

/** By user: the name and the port, and the lines of authorized_keys. */
const users = JSON.parse(await readFile(setting("POSTERN_USERS", "users.json"), "utf8"));

const keyFile = setting("POSTERN_KEY", "host_key");
// The first start makes the key. Keep the file: clients know the server by it.
await writeFile(keyFile, generatePrivateKey(), { flag: "wx", mode: 0o600 }).catch((error) => {
  if (error.code !== "EEXIST") throw error;
});
const hostKey = await readPrivateKey(await readFile(keyFile));

const host = await TunnelHost.listen({
  address: process.env.POSTERN_ADDRESS, // default: all
  port: Number(setting("POSTERN_PORT", "2222")),
  hostKeys: [hostKey],
  authorize: policy(
    Object.fromEntries(
      Object.entries(users).map(([user, { port, keys }]) => [user, { keys, permitListen: [`localhost:${port}`] }]),
    ),
  ),
  // All visitors come from the router, so they have one address.
  limits: { connections: 200, forwardings: 1, channels: 100, visitorsPerForwarding: 100, visitorsPerSource: 100 },
});
host.addEventListener("login", ({ user, client }) => log(`${user} logged in from ${client.origin?.host}`));
host.addEventListener("clientclosed", ({ client: { user, origin } }) =>
  log(user === undefined ? `${origin?.host} disconnected without a login` : `${user} disconnected`),
);
host.addEventListener("forwardingopened", ({ client, forwarding }) =>
  log(`${client.user} listens on port ${forwarding.port}`),
);
host.addEventListener("forwardingclosed", ({ client, forwarding: { port, visitors, bytesIn, bytesOut } }) =>
  log(`${client.user} left port ${port}: ${visitors} visitors, ${bytesIn} bytes in, ${bytesOut} bytes out`),
);
host.addEventListener("refusal", ({ client, origin, what, reason }) =>
  log(`${client?.user ?? origin?.host}: ${what} refused: ${reason}`),
);

const router = createRouter(host, new Map(Object.values(users).map(({ name, port }) => [name, port])));
// Plain HTTP on loopback: a web server with TLS belongs in front of it.
router.listen(Number(setting("POSTERN_HTTP_PORT", "8080")), "127.0.0.1", () => {
  log(`ssh on port ${host.port}, host key ${sha256Fingerprint(hostKey.publicKey)}`);
  log(`http on port ${router.address().port}`);
});
for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => void close());

/** Frees the ports, and lets open connections finish for 5 s. */
async function close() {
  router.close();
  await host.close({ drainMs: 5_000 });
  router.closeAllConnections();
}

function log(text) {
  console.log(`${new Date().toISOString()} ${text}`);
}

/** Returns a variable of the environment. */
function setting(name, fallback) {
  return process.env[name] || fallback;
}
