/**
 * Runs before a program of a page, in its process: prints the ports of forwardings and hosts, and closes everything on
 * SIGUSR2. Also, the home of the user is `HOME`.
 * @module
 */
import { writeSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import os from "node:os";
import { TunnelHost } from "@postern/node";
import { ReverseTunnel } from "@postern/tunnel";

const userInfo = { ...os.userInfo(), homedir: process.env.HOME };
Object.assign(os, { userInfo: () => userInfo });
syncBuiltinESMExports();

const open = new Set<{ close(): Promise<void> }>();

function report(line: string): void {
  writeSync(1, `@${line}\n`);
}

const { connect, forward, listen } = ReverseTunnel.prototype;
ReverseTunnel.prototype.connect = async function (...args) {
  open.add(this);
  await connect.apply(this, args);
  report("connected");
};
ReverseTunnel.prototype.forward = async function (...args) {
  const forwarding = await forward.apply(this, args);
  report(`forwarding ${forwarding.port}`);
  return forwarding;
};
ReverseTunnel.prototype.listen = async function (...args) {
  const listener = await listen.apply(this, args);
  report(`forwarding ${listener.port}`);
  return listener;
};
const listenAsHost = TunnelHost.listen;
TunnelHost.listen = async (options) => {
  const host = await listenAsHost.call(TunnelHost, options);
  open.add(host);
  report(`host ${host.port}`);
  return host;
};

process.on("SIGUSR2", () => {
  for (const one of open) void one.close();
});
