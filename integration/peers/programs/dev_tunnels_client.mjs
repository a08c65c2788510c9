// A reverse tunnel by dev-tunnels-ssh. Arguments: port, user, key file, host key ("type base64"), port to listen on,
// target port, rekey bytes or 0. Prints "listening PORT"; on SIGUSR2 it cancels the forwarding and prints "cancelled".
import { SshAuthenticationType, SshSessionConfiguration } from "@microsoft/dev-tunnels-ssh";
import { importKeyFile } from "@microsoft/dev-tunnels-ssh-keys";
import { PortForwardingService, SshClient } from "@microsoft/dev-tunnels-ssh-tcp";

const [port, username, keyFile, hostKey, listen, target, rekey] = process.argv.slice(2);
const configuration = new SshSessionConfiguration();
configuration.addService(PortForwardingService);
if (rekey !== "0") configuration.keyRotationThreshold = Number(rekey);
const client = new SshClient(configuration);
const session = await client.openSession("127.0.0.1", Number(port));
session.onAuthenticating((event) => {
  event.authenticationPromise = check(event);
});
const loggedIn = await session.authenticate({ username, publicKeys: [await importKeyFile(keyFile)] });
if (!loggedIn) throw new Error("expected to be logged in, was rejected");
const forwarding = session.activateService(PortForwardingService);
const forwarder = await forwarding.forwardFromRemotePort("localhost", Number(listen), "127.0.0.1", Number(target));
console.log(`listening ${forwarder.remotePort}`);
process.once("SIGUSR2", () => {
  forwarder.dispose();
  console.log("cancelled");
});
session.onClosed((event) => {
  console.error(event.errorMessage ?? "closed");
  process.exit(1);
});
// Keeps Node running while the connection is idle.
setInterval(() => undefined, 60_000);

async function check({ authenticationType, publicKey }) {
  if (authenticationType !== SshAuthenticationType.serverPublicKey) return null;
  const bytes = await publicKey.getPublicKeyBytes();
  return bytes.toString("base64") === hostKey.split(" ")[1] ? {} : null;
}
