// Two workers of a cluster serve one SSH port. Prints whether it is one port, and what the second client that requests
// the port of the first gets.
import cluster from "node:cluster";
import { once } from "node:events";
import { createServer } from "node:net";
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

if (cluster.isPrimary) {
  const key = generatePrivateKey();
  const { publicKey } = await readPrivateKey(key);
  const workers = [cluster.fork({ KEY: key }), cluster.fork({ KEY: key })];
  const ports = await Promise.all(workers.map(async (worker) => (await once(worker, "message"))[0]));
  const login = {
    host: "127.0.0.1",
    port: ports[0],
    user: "deploy",
    auth: [password("secret")],
    hostKey: fingerprint(sha256Fingerprint(publicKey)),
  };
  const tunnels = [new ReverseTunnel(login), new ReverseTunnel(login)];
  for (const tunnel of tunnels) await tunnel.connect();
  const found = createServer().listen(0, "127.0.0.1");
  await once(found, "listening");
  const { port } = found.address();
  await once(found.close(), "close");
  await tunnels[0].listen({ port });
  const second = await tunnels[1].listen({ port }).catch((error) => error.code);
  const results = { samePort: ports[0] === ports[1], second };
  await Promise.all(tunnels.map((tunnel) => tunnel.close()));
  for (const worker of workers) worker.kill();
  process.stdout.write(JSON.stringify(results));
} else {
  const host = await TunnelHost.listen({
    address: "127.0.0.1",
    port: 0,
    hostKeys: [await readPrivateKey(process.env.KEY)],
    authorize: policy({ deploy: { password: "secret" } }),
    takeover: false,
  });
  process.send(host.port);
}
