/** A tunnel to a real server, with a key made for the test. @module */
import { fingerprint, privateKey, ReverseTunnel, type TunnelOptions } from "@postern/node";
import { type KeyPair, makeKey } from "./keys.ts";
import type { SshServer } from "./sshd.ts";
import { tempDir } from "./temp-dir.ts";

let made: Promise<KeyPair> | undefined;

/** Returns the ed25519 key that all tests of a file log in with. */
export function userKey(): Promise<KeyPair> {
  made ??= makeKey("ed25519", tempDir("postern-user-key").file("key"));
  return made;
}

/** Returns options for a tunnel that logs in with `userKey` and accepts the first host key of the server. */
export async function tunnelOptions(server: SshServer, more: Partial<TunnelOptions> = {}): Promise<TunnelOptions> {
  const [hostKey] = Object.values(server.hostKeys);
  return {
    host: "127.0.0.1",
    port: server.port,
    user: server.user,
    auth: [privateKey((await userKey()).privateText)],
    hostKey: fingerprint(hostKey?.fingerprint ?? "none"),
    ...more,
  };
}

/** Connects a tunnel. */
export async function openTunnel(server: SshServer, more: Partial<TunnelOptions> = {}): Promise<ReverseTunnel> {
  const tunnel = new ReverseTunnel(await tunnelOptions(server, more));
  // Tests that end the tunnel assert `closed` themselves.
  tunnel.closed.catch(() => {});
  await tunnel.connect();
  return tunnel;
}
