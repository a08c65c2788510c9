/** The shim of Postern on Node, in both roles. @module */
import { readFileSync } from "node:fs";
import {
  compatibleAlgorithms,
  fingerprint,
  policy,
  privateKey,
  ReverseTunnel,
  readPrivateKey,
  sha256Fingerprint,
  TunnelHost,
} from "@postern/node";
import { nextLine, tell } from "./lines.mjs";

const start = await nextLine();
if (start === undefined) throw new Error("expected a first line");
const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
const name = `Postern ${version}`;
const signer = await readPrivateKey(start.hostKey);
if (start.role === "server") {
  const host = await TunnelHost.listen({
    address: "127.0.0.1",
    port: 0,
    hostKeys: [signer],
    algorithms: compatibleAlgorithms,
    authorize: policy({ [start.user]: { keys: start.userPublicKey } }),
    limits: { penalties: false },
  });
  tell({ event: "ready", name, port: host.port });
  while ((await nextLine()) !== undefined);
  await host.close({ drainMs: 0 });
} else {
  tell({ event: "ready", name });
  for (let line = await nextLine(); line !== undefined; line = await nextLine()) {
    const tunnel = new ReverseTunnel({
      host: "127.0.0.1",
      port: line.port,
      user: start.user,
      auth: [privateKey(start.userKey)],
      hostKey: fingerprint(sha256Fingerprint(signer.publicKey)),
      algorithms: compatibleAlgorithms,
      reconnect: { mode: "never" },
    });
    const ended = run(tunnel).catch(() => {});
    // The next line tells that the runner is done with this connection.
    await nextLine();
    await tunnel.close().catch(() => {});
    await ended;
    tell({ event: "closed" });
  }
}

async function run(tunnel) {
  const forwarded = tunnel.forward({ port: 0, target: { host: "127.0.0.1", port: start?.echoPort } }).catch(() => {});
  await tunnel.connect();
  await forwarded;
  await tunnel.closed;
}
