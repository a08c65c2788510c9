/** A tunnel of ours to a real host, with a key made for it. @module */
import { fingerprint, privateKey, ReverseTunnel, type TunnelOptions } from "@postern/node";
import { type KeyPair, makeKey } from "./keys.ts";
import type { SshServer } from "./sshd.ts";
import { tempDir } from "./temp-dir.ts";

let made: Promise<KeyPair> | undefined;

/** The ed25519 key all tests of a file may log in with. */
export function userKey(): Promise<KeyPair> {
  made ??= makeKey("ed25519", tempDir("postern-user-key").file("key"));
  return made;
}

/** What a tunnel to that host is told: log in with `userKey`, trust its first host key. */
export async function tunnelOptions(host: SshServer, more: Partial<TunnelOptions> = {}): Promise<TunnelOptions> {
  const [hostKey] = Object.values(host.hostKeys);
  return {
    host: "127.0.0.1",
    port: host.port,
    user: host.user,
    auth: [privateKey((await userKey()).privateText)],
    hostKey: fingerprint(hostKey?.fingerprint ?? "none"),
    ...more,
  };
}

/** Logs in. */
export async function openTunnel(host: SshServer, more: Partial<TunnelOptions> = {}): Promise<ReverseTunnel> {
  const tunnel = new ReverseTunnel(await tunnelOptions(host, more));
  await tunnel.connect();
  return tunnel;
}
