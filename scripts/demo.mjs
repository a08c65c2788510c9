// A reverse tunnel from end to end, on this machine: a tunnel host, a web server on loopback, and the tunnel between
// them. Exits with 0 only if the page arrives unchanged. @module
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

say("1. The public machine runs a tunnel host: an SSH server that only forwards ports.");
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

say("2. Behind the firewall runs a web server that is not reachable from outside.");
const page = Buffer.concat([Buffer.from("<h1>The door is open</h1>\n"), randomBytes(1_000_000)]);
const web = createServer((_request, response) => response.end(page)).listen(0, "127.0.0.1");
await once(web, "listening");
const target = { host: "127.0.0.1", port: web.address().port };
say(`   It listens on port ${target.port}, and its page is ${page.length} bytes long.`);

say("3. The tunnel connects, checks the server's host key, and logs in with a key.");
const tunnel = new ReverseTunnel({
  host: "127.0.0.1",
  port: host.port,
  user: "demo",
  auth: [privateKey(userKeyText)],
  hostKey: fingerprint(trusted),
});
tunnel.addEventListener("state", ({ state }) => say(`   ${state}`));
await tunnel.connect();

say("4. It asks the server to listen on a port, and forwards each visitor to the web server.");
const forwarding = await tunnel.forward({ port: 0, target });
say(`   The host listens on port ${forwarding.port}. While it runs, OpenSSH can do the same with:`);
say(`   ssh -N -p ${host.port} -R 0:${target.host}:${target.port} demo@127.0.0.1     (password ${password})`);

say("5. A visitor fetches the page from that port.");
const response = await fetch(`http://127.0.0.1:${forwarding.port}/`);
const received = Buffer.from(await response.arrayBuffer());
const right = sha256(received) === sha256(page);
say(`   ${received.length} bytes came through the tunnel; they are ${right ? "correct" : "WRONG"}.`);

say("6. The tunnel closes, and the port is free again.");
await tunnel.close();
await host.close();
web.closeAllConnections();
web.close();

if (right) process.exitCode = 0;
