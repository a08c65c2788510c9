/** The host under measurement: a TunnelHost with one user. `node postern.mjs ORDERS`, see src/host/hosts.ts. @module */
import { readFileSync } from "node:fs";
import { policy, readPrivateKey, TunnelHost } from "@postern/node";

const { user, hostKeyFile, authorizedKeysFile, workers } = JSON.parse(process.argv[2]);
const host = await TunnelHost.listen({
  port: 0,
  address: "127.0.0.1",
  hostKeys: [await readPrivateKey(readFileSync(hostKeyFile, "utf8"))],
  authorize: policy({ [user]: { keys: readFileSync(authorizedKeysFile, "utf8") } }),
  // All clients of the benchmark are of one user and one address.
  limits: {
    connections: 10_000,
    connectionsPerUser: 10_000,
    startups: { start: 1_000, full: 1_000 },
    forwardings: 2_000,
    forwardingsPerUser: 20_000,
    totalMemory: 64 * 2 ** 30,
    penalties: false,
  },
  ...(workers === undefined ? {} : { workers }),
});
// `process.exit` writes the profile, if there is one.
process.once("SIGINT", () => process.exit(0));
console.log(`listening on port ${host.port}`);
