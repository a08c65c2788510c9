/** A TunnelHost of `@postern/node`, in Node, Deno and Bun. @module */
import { policy, readPrivateKey, TunnelHost } from "@postern/node";

const host = await TunnelHost.listen({
  port: 0,
  address: "127.0.0.1",
  hostKeys: [await readPrivateKey(process.argv[2] ?? "")],
  authorize: policy({ test: { password: "secret", permitListen: ["*:*"], permitOpen: ["*:*"] } }),
});
process.stdout.write(`listening on ${host.port}\n`);
