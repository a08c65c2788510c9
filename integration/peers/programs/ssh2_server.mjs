// An SSH server by ssh2 that grants tcpip-forward. Arguments: port, host key file, authorized key ("type base64"),
// rekey bytes or 0. Prints "ready".
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import ssh2 from "ssh2";

const [port, hostKeyFile, authorized, rekey] = process.argv.slice(2);
const allowed = ssh2.utils.parseKey(authorized);
const server = new ssh2.Server({ hostKeys: [readFileSync(hostKeyFile)] }, (client) => {
  const listeners = new Map();
  client.on("error", (error) => console.error(error.message));
  client.on("authentication", (context) => {
    const known = context.method === "publickey" && context.key.data.equals(allowed.getPublicSSH());
    if (!known) return context.reject(["publickey"]);
    if (context.signature && allowed.verify(context.blob, context.signature, context.hashAlgo) !== true)
      return context.reject();
    context.accept();
  });
  client.on("request", (accept, reject, name, info) => {
    if (name === "tcpip-forward") forward(client, listeners, info, accept, reject);
    else if (name === "cancel-tcpip-forward" && listeners.has(info.bindPort)) {
      listeners.get(info.bindPort).close();
      listeners.delete(info.bindPort);
      accept();
    } else reject?.();
  });
  client.on("close", () => {
    for (const listener of listeners.values()) listener.close();
  });
});

function forward(client, listeners, { bindAddr, bindPort }, accept, reject) {
  const listener = createServer({ allowHalfOpen: true, noDelay: true }, (visitor) => {
    const { remoteAddress, remotePort } = visitor;
    client.forwardOut(bindAddr, listener.address().port, remoteAddress, remotePort, (error, channel) => {
      if (error) return visitor.destroy();
      channel.on("error", () => visitor.destroy());
      visitor.on("error", () => channel.destroy());
      visitor.pipe(channel).pipe(visitor);
      // ssh2 has no byte limit for rekeys.
      let bytes = 0;
      channel.on("data", (chunk) => {
        bytes += chunk.length;
        if (rekey === "0" || bytes < Number(rekey)) return;
        bytes = 0;
        client.rekey();
      });
    });
  });
  listener.once("error", () => reject());
  listener.listen(bindPort, "127.0.0.1", () => {
    const bound = listener.address().port;
    listeners.set(bound, listener);
    accept(bound);
  });
}

server.listen(Number(port), "127.0.0.1", () => console.log("ready"));
