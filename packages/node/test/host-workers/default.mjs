// A host with two workers of the package itself. Prints how many there are, and how many clients they serve.
import {
  fingerprint,
  generatePrivateKey,
  password,
  policy,
  ReverseTunnel,
  readPrivateKey,
  sha256Fingerprint,
  TunnelHost,
} from "@postern/node";

const hostKey = await readPrivateKey(generatePrivateKey());
const authorize = policy({ deploy: { password: "secret" } });
const host = await TunnelHost.listen({ address: "127.0.0.1", port: 0, hostKeys: [hostKey], authorize, workers: 2 });
const login = {
  host: "127.0.0.1",
  port: host.port,
  user: "deploy",
  auth: [password("secret")],
  hostKey: fingerprint(sha256Fingerprint(hostKey.publicKey)),
};
const tunnels = [new ReverseTunnel(login), new ReverseTunnel(login)];
for (const tunnel of tunnels) await tunnel.connect();
process.stdout.write(`${host.workerPids.length} workers, ${host.clients.length} clients`);
for (const tunnel of tunnels) await tunnel.close();
await host.close();
