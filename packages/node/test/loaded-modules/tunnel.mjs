/**
 * Runs a tunnel with the built package, its defaults and Ed25519 keys. With `argon2id`, also checks an Argon2id
 * password.
 * @module
 */
import { connect, createServer } from "node:net";
import {
  fingerprint,
  generatePrivateKey,
  hashPassword,
  policy,
  privateKey,
  ReverseTunnel,
  readPrivateKey,
  sha256Fingerprint,
  TunnelHost,
} from "../../dist/index.js";

const own = generatePrivateKey();
const { publicKey } = await readPrivateKey(own);
const hostKey = await readPrivateKey(generatePrivateKey());
const argon2 = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
const keys = `ssh-ed25519 ${Buffer.from(publicKey).toString("base64")}`;
const authorize = policy({
  test: { keys, permitListen: ["localhost:*"] },
  other: { password: process.argv[2] === "argon2id" ? argon2 : await hashPassword("secret", { ln: 4 }) },
});
const host = await TunnelHost.listen({ port: 0, address: "127.0.0.1", hostKeys: [hostKey], authorize });
const server = createServer((socket) => socket.end("hello\n")).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));

const tunnel = new ReverseTunnel({
  host: "127.0.0.1",
  port: host.port,
  user: "test",
  auth: [privateKey(own)],
  hostKey: fingerprint(sha256Fingerprint(hostKey.publicKey)),
});
await tunnel.connect();
const target = { host: "127.0.0.1", port: server.address().port };
const { port } = await tunnel.forward({ port: 0, target });
const visitor = connect(port, "localhost");
const answer = await visitor.toArray();
await new Promise((resolve) => server.close(resolve));
if (process.argv[2] === "argon2id") {
  const attempt = { method: "password", user: "other", password: "password", signal: AbortSignal.timeout(10_000) };
  if ((await authorize(attempt)) === false) throw new Error("expected the password to be accepted");
}
await tunnel.close();
await host.close();
process.stdout.write(Buffer.concat(answer));
