/** The client under measurement: one tunnel, one forwarding. `node postern.mjs ORDERS`, see src/clients.ts. @module */
import { readFileSync } from "node:fs";
import { fingerprint, knownHosts, modernAlgorithms, privateKey, ReverseTunnel } from "@postern/node";

const orders = JSON.parse(process.argv[2]);
const { host, port, user, keyFile, hostKey, cipher, listenPort, targetPort, implementation } = orders;
const text = readFileSync(keyFile, "utf8");
const [algorithms, key] = implementation === "noble" ? await portable() : [modernAlgorithms, text];
const tunnel = new ReverseTunnel({
  host,
  port,
  user,
  auth: [privateKey(key)],
  hostKey:
    orders.knownHosts === undefined
      ? fingerprint(hostKey)
      : knownHosts({ files: [orders.knownHosts], globalFiles: [] }),
  algorithms: {
    ...algorithms,
    ciphers: algorithms.ciphers.filter(({ name }) => name === cipher),
    // That of the other clients, instead of a post-quantum one.
    kex: algorithms.kex.filter(({ name }) => name === "curve25519-sha256"),
  },
});
// `process.exit` writes the profile, if there is one.
process.once("SIGINT", () => process.exit(0));
process.on("SIGUSR2", () => void printHeap());
const target = { host: "127.0.0.1", port: targetPort };
const ports = [...(orders.otherPorts ?? []), listenPort];
await Promise.all([tunnel.connect(), ...ports.map((port) => tunnel.forward({ port, target }))]);
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
