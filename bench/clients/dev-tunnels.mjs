/** @microsoft/dev-tunnels-ssh, with AES-256-GCM and without Ed25519. `node dev-tunnels.mjs ORDERS`. @module */
import { createHash } from "node:crypto";
import { SshAlgorithms, SshAuthenticationType, SshSessionConfiguration } from "@microsoft/dev-tunnels-ssh";
import { importKeyFile } from "@microsoft/dev-tunnels-ssh-keys";
import { PortForwardingService, SshClient } from "@microsoft/dev-tunnels-ssh-tcp";

const orders = JSON.parse(process.argv[2]);
const configuration = new SshSessionConfiguration();
only(configuration.keyExchangeAlgorithms, SshAlgorithms.keyExchange.ecdhNistp256Sha256);
only(configuration.publicKeyAlgorithms, SshAlgorithms.publicKey.ecdsaSha2Nistp256);
only(configuration.encryptionAlgorithms, SshAlgorithms.encryption.aes256Gcm);
configuration.addService(PortForwardingService);

const client = new SshClient(configuration);
const session = await client.openSession(orders.host, orders.port);
session.onAuthenticating((event) => {
  event.authenticationPromise = check(event);
});
const key = await importKeyFile(orders.keyFile);
const loggedIn = await session.authenticate({ username: orders.user, publicKeys: [key] });
if (!loggedIn) throw new Error("expected to be logged in, was refused");
const forwarding = session.activateService(PortForwardingService);
await forwarding.forwardFromRemotePort("localhost", orders.listenPort, "127.0.0.1", orders.targetPort);
// Keeps Node running while the connection is idle.
setInterval(() => undefined, 60_000);

function only(list, algorithm) {
  list.splice(0, list.length, algorithm);
}

async function check({ authenticationType, publicKey }) {
  if (authenticationType !== SshAuthenticationType.serverPublicKey) return null;
  const bytes = await publicKey.getPublicKeyBytes();
  const hash = createHash("sha256").update(bytes).digest("base64").replace(/=+$/, "");
  return `SHA256:${hash}` === orders.hostKey ? {} : null;
}
