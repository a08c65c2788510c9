/** A server of ssh2 that forwards ports, with `accept().pipe(socket).pipe(channel)`. `node ssh2.mjs ORDERS`. @module */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";

const { user, hostKeyFile, authorizedKeysFile, module } = JSON.parse(process.argv[2]);
const { Server, utils } = createRequire(import.meta.url)(module);
const keys = new Map(
  readFileSync(authorizedKeysFile, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => [line.split(" ")[1], utils.parseKey(line)]),
);

const server = new Server({ hostKeys: [readFileSync(hostKeyFile)] }, (client) => {
  const listeners = new Map();
  client.on("authentication", (login) => {
    const key = login.method === "publickey" ? keys.get(login.key.data.toString("base64")) : undefined;
    const isRight = login.signature === undefined || key?.verify(login.blob, login.signature, login.hashAlgo) === true;
    if (login.username === user && key !== undefined && isRight) login.accept();
    else login.reject(["publickey"]);
  });
  client.on("ready", () => client.setNoDelay(true));
  client.on("request", (accept, reject, name, info) => {
    if (name === "tcpip-forward") forward(client, listeners, info, accept, reject);
    else if (name === "cancel-tcpip-forward") {
      listeners.get(info.bindPort)?.close();
      accept?.();
    } else reject?.();
  });
  client.on("error", () => undefined);
  client.on("close", () => {
    for (const listener of listeners.values()) listener.close();
  });
});
server.listen(0, "127.0.0.1", () => console.log(`listening on port ${server.address().port}`));
// `process.exit` writes the profile, if there is one.
process.once("SIGINT", () => process.exit(0));

function forward(client, listeners, { bindAddr, bindPort }, accept, reject) {
  const listener = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined);
    const { remoteAddress = "127.0.0.1", remotePort = 0 } = socket;
    client.forwardOut(bindAddr, listener.address()?.port ?? 0, remoteAddress, remotePort, (error, channel) => {
      if (error) return socket.destroy();
      channel.on("error", () => socket.destroy());
      socket.on("error", () => channel.destroy());
      channel.pipe(socket).pipe(channel);
    });
  });
  listener.once("error", () => reject?.());
  listener.listen({ port: bindPort, host: "127.0.0.1", backlog: 511 }, () => {
    const { port } = listener.address();
    listeners.set(port, listener);
    accept?.(bindPort === 0 ? port : undefined);
  });
}
