// A reverse tunnel from end to end, on this machine: a host, a web server that only this process knows,
// and the tunnel between them. Exits with 0 only if the page came through whole. @module
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import {
  fingerprint,
  generatePrivateKey,
  policy,
  privateKey,
  ReverseTunnel,
  readPrivateKey,
  sha256Fingerprint,
  TunnelHost,
} from "@postern/node";

const say = (text) => console.log(text);
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
process.exitCode = 1;

say("1. The public machine: a tunnel host, an SSH server that forwards ports and nothing else.");
const hostKey = await readPrivateKey(generatePrivateKey());
const userKeyText = generatePrivateKey({ comment: "demo" });
const userKey = await readPrivateKey(userKeyText);
const password = randomBytes(6).toString("hex");
const authorizedKey = `ssh-ed25519 ${Buffer.from(userKey.publicKey).toString("base64")} demo`;
const host = await TunnelHost.listen({
  address: "127.0.0.1",
  port: 0,
  hostKeys: [hostKey],
  authorize: policy({ demo: { keys: authorizedKey, password } }),
});
const trusted = sha256Fingerprint(hostKey.publicKey);
say(`   It listens on port ${host.port}; its key is ${trusted}.`);

say("2. Behind the firewall: a web server that nobody outside can reach.");
const page = Buffer.concat([Buffer.from("<h1>The door is open</h1>\n"), randomBytes(1_000_000)]);
const web = createServer((_request, response) => response.end(page)).listen(0, "127.0.0.1");
await once(web, "listening");
const target = { host: "127.0.0.1", port: web.address().port };
say(`   It listens on port ${target.port}, and its page is ${page.length} bytes long.`);

say("3. The tunnel dials out, checks the host's key, and logs in with a key of its own.");
const tunnel = new ReverseTunnel({
  host: "127.0.0.1",
  port: host.port,
  user: "demo",
  auth: [privateKey(userKeyText)],
  hostKey: fingerprint(trusted),
});
tunnel.addEventListener("state", ({ state }) => say(`   ${state}`));
await tunnel.connect();

say("4. It asks the host to listen, and to send here whoever comes.");
const forwarding = await tunnel.forward({ port: 0, target });
say(`   The host listens on port ${forwarding.port}. OpenSSH would reach the same host, while it is there, with:`);
say(`   ssh -N -p ${host.port} -R 0:${target.host}:${target.port} demo@127.0.0.1     (password ${password})`);

say("5. A visitor fetches the page from the host's port.");
const response = await fetch(`http://127.0.0.1:${forwarding.port}/`);
const received = Buffer.from(await response.arrayBuffer());
const right = sha256(received) === sha256(page);
say(
  `   ${received.length} bytes came through the tunnel; they are ${right ? "the right ones" : "NOT the right ones"}.`,
);

say("6. The tunnel logs off, and the port is free again.");
await tunnel.close();
await host.close();
web.closeAllConnections();
web.close();

if (right) process.exitCode = 0;
