/** The client under measurement: one tunnel, one forwarding. `node postern.mjs ORDERS`, see src/clients.ts. @module */
import { readFileSync } from "node:fs";
import { fingerprint, modernAlgorithms, privateKey, ReverseTunnel } from "@postern/node";

const { host, port, user, keyFile, hostKey, cipher, listenPort, targetPort, implementation } = JSON.parse(
  process.argv[2],
);
const text = readFileSync(keyFile, "utf8");
const [algorithms, key] = implementation === "noble" ? await portable() : [modernAlgorithms, text];
const tunnel = new ReverseTunnel({
  host,
  port,
  user,
  auth: [privateKey(key)],
  hostKey: fingerprint(hostKey),
  algorithms: { ...algorithms, ciphers: algorithms.ciphers.filter(({ name }) => name === cipher) },
});
// `process.exit` writes the profile, if there is one.
process.once("SIGINT", () => process.exit(0));
process.on("SIGUSR2", () => void printHeap());
const target = { host: "127.0.0.1", port: targetPort };
await Promise.all([tunnel.connect(), tunnel.forward({ port: listenPort, target })]);
await tunnel.closed;

/** The algorithms of a browser, without node:crypto. */
async function portable() {
  const { modernAlgorithms: noble } = await import("@postern/crypto");
  const { readPrivateKey } = await import("@postern/keys");
  return [noble, await readPrivateKey(text)];
}

/** Prints the bytes of the live objects of the heap. */
async function printHeap() {
  const { setFlagsFromString } = await import("node:v8");
  const { runInNewContext } = await import("node:vm");
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  for (let i = 0; i < 3; i++) collect();
  console.log(`heap ${process.memoryUsage().heapUsed}`);
}
