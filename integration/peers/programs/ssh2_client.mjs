// A reverse tunnel by ssh2. Arguments: port, user, key file, host key ("type base64"), port to listen on, target port,
// rekey bytes (ignored: ssh2 never starts a rekey as a client). Prints "listening PORT"; on SIGUSR2 it cancels the
// forwarding and prints "cancelled".
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import ssh2 from "ssh2";

const [port, username, keyFile, hostKey, listen, target] = process.argv.slice(2);
const client = new ssh2.Client();
client.on("tcp connection", (_info, accept, reject) => {
  const socket = connect({ host: "127.0.0.1", port: Number(target), noDelay: true, allowHalfOpen: true });
  socket.once("error", () => reject?.());
  socket.once("connect", () => {
    const channel = accept();
    channel.on("error", () => socket.destroy());
    socket.on("error", () => channel.destroy());
    socket.pipe(channel).pipe(socket);
  });
});
client.on("ready", () => {
  client.setNoDelay(true);
  client.forwardIn("localhost", Number(listen), (error, bound) => {
    if (error) throw error;
    const chosen = bound ?? Number(listen);
    console.log(`listening ${chosen}`);
    process.once("SIGUSR2", () => {
      client.unforwardIn("localhost", chosen, (failure) => {
        if (failure) throw failure;
        console.log("cancelled");
      });
    });
  });
});
client.on("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
client.connect({
  host: "127.0.0.1",
  port: Number(port),
  username,
  privateKey: readFileSync(keyFile),
  hostVerifier: (key) => key.toString("base64") === hostKey.split(" ")[1],
});
