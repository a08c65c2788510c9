// The client under measurement, in a process of its own: one tunnel, one forwarding to a local port.
// Arguments, as JSON: { host port user key fingerprint cipher implementation targetPort }
import * as portable from "@postern/crypto";
import { fingerprint, modern, privateKey, ReverseTunnel } from "@postern/node";

const { host, port, user, key, fingerprint: trusted, cipher, implementation, targetPort } = JSON.parse(process.argv[2]);
const { ciphers } = implementation === "noble" ? portable.modern : modern;
const tunnel = new ReverseTunnel({
  host,
  port,
  user,
  auth: [privateKey(key)],
  hostKey: fingerprint(trusted),
  algorithms: { ciphers: ciphers.filter(({ name }) => name === cipher) },
});
await tunnel.logon();
const forwarding = await tunnel.requestForwarding({ port: 0, target: { host: "127.0.0.1", port: targetPort } });
process.stderr.write(`Allocated port ${forwarding.port} for remote forward\n`);
process.once("SIGINT", () => process.exit(0));
await tunnel.closed;
