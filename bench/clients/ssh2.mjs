/**
 * ssh2, with the forwarding of its documentation: `accept().pipe(socket).pipe(channel)`. `node ssh2.mjs ORDERS`.
 * @module
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect } from "node:net";

const orders = JSON.parse(process.argv[2]);
const { Client } = createRequire(import.meta.url)(orders.module);
const client = new Client();
client.on("tcp connection", (_info, accept, reject) => {
  const socket = connect({ host: "127.0.0.1", port: orders.targetPort, noDelay: true, allowHalfOpen: true });
  socket.once("error", () => reject?.());
  socket.once("connect", () => {
    const channel = accept();
    channel.on("error", () => socket.destroy());
    socket.on("error", () => channel.destroy());
    socket.pipe(channel).pipe(socket);
  });
});
client.on("ready", () => {
  // Not its default. Without it, ssh2 without a binding waits 40 ms for every byte.
  client.setNoDelay(true);
  client.forwardIn("localhost", orders.listenPort, (error) => {
    if (error) throw error;
  });
});
client.on("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
client.connect({
  host: orders.host,
  port: orders.port,
  username: orders.user,
  privateKey: readFileSync(orders.keyFile),
  // All clients of the comparison check the host key.
  hostHash: "sha256",
  hostVerifier: (hash) => `SHA256:${Buffer.from(hash, "hex").toString("base64").replace(/=+$/, "")}` === orders.hostKey,
  algorithms: { cipher: [orders.cipher], kex: ["curve25519-sha256"], serverHostKey: ["ssh-ed25519"] },
});
