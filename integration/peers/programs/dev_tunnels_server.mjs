// An SSH server by dev-tunnels-ssh that grants tcpip-forward. Arguments: port, host key file, authorized key ("type
// base64"), rekey bytes or 0. Prints "ready".
import { SshAuthenticationType, SshSessionConfiguration } from "@microsoft/dev-tunnels-ssh";
import { importKeyFile } from "@microsoft/dev-tunnels-ssh-keys";
import { PortForwardingService, SshServer } from "@microsoft/dev-tunnels-ssh-tcp";

const [port, hostKeyFile, authorized, rekey] = process.argv.slice(2);
const configuration = new SshSessionConfiguration();
configuration.addService(PortForwardingService);
if (rekey !== "0") configuration.keyRotationThreshold = Number(rekey);
const server = new SshServer(configuration);
server.credentials.publicKeys = [await importKeyFile(hostKeyFile)];
server.onSessionOpened((session) => {
  session.onAuthenticating((event) => {
    event.authenticationPromise = check(event);
  });
  session.onRequest((event) => {
    event.isAuthorized = true;
  });
  session.onClosed((event) => console.error(event.errorMessage ?? "closed"));
});
server.onError((error) => console.error(error));
await server.acceptSessions(Number(port), "127.0.0.1");
console.log("ready");

async function check({ authenticationType, publicKey }) {
  const { clientPublicKey, clientPublicKeyQuery } = SshAuthenticationType;
  if (authenticationType !== clientPublicKey && authenticationType !== clientPublicKeyQuery) return null;
  const bytes = await publicKey.getPublicKeyBytes();
  return bytes.toString("base64") === authorized.split(" ")[1] ? {} : null;
}
