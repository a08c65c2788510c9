/** A TunnelHost on a loopback port, for real clients. @module */
import { createCertificateSigner } from "@postern/keys";
import { type HostEvents, policy, readPrivateKey, TunnelHost, type TunnelHostListenOptions } from "@postern/node";
import { type KeyType, makeKey, type PublicKeyInfo } from "../keys.ts";
import { patternChunks, patternHash } from "../pattern.ts";
import { freePort } from "../ports.ts";
import type { SshServer } from "../sshd.ts";
import { type TempDir, tempDir } from "../temp-dir.ts";
import { visit } from "../visitor.ts";

export interface HostOptions extends Partial<Omit<TunnelHostListenOptions, "port" | "hostKeys" | "address">> {
  /** Default: `["ed25519"]`. */
  readonly hostKeyTypes?: readonly KeyType[];
  /** The text of an authorized_keys file, for `user`. */
  readonly keys?: string;
  /** Certifies each host key: returns the text of its certificate. */
  readonly certify?: (publicFile: string) => Promise<string>;
}

/** The server of the programs in `programs.ts`. */
export interface ClientTarget extends SshServer {
  readonly password: string;
  /** for files of the client */
  readonly dir: TempDir;
  fingerprint(type?: KeyType): string;
}

export interface RunningHost extends ClientTarget {
  readonly host: TunnelHost;
  stop(): Promise<void>;
}

const user = "test";
const password = "open sesame";

/** Starts a TunnelHost with one user, who may do everything unless `authorize` restricts it. */
export async function startHost({
  hostKeyTypes = ["ed25519"],
  keys,
  certify,
  ...options
}: HostOptions = {}): Promise<RunningHost> {
  const dir = tempDir("postern-host");
  try {
    const hostKeys: Partial<Record<KeyType, PublicKeyInfo>> = {};
    const signers = [];
    for (const type of hostKeyTypes) {
      const key = await makeKey(type, dir.file(`host_${type}`));
      hostKeys[type] = key;
      const signer = await readPrivateKey(key.privateText);
      const certificate = await certify?.(`${key.file}.pub`);
      signers.push(certificate === undefined ? signer : createCertificateSigner(signer, certificate));
    }
    const authorize = policy({
      [user]: { password, permitOpen: ["*:*"], ...(keys === undefined ? {} : { keys }) },
    });
    const port = await freePort();
    // Tests may fail to log in. Penalties have tests of their own.
    const limits = { penalties: false, startups: { start: 1000, full: 1000 }, ...options.limits } as const;
    const host = await TunnelHost.listen({
      authorize,
      ...options,
      limits,
      port,
      address: "127.0.0.1",
      hostKeys: signers,
    });
    return {
      host,
      port,
      user,
      password,
      hostKeys,
      dir,
      fingerprint: (type = hostKeyTypes[0] ?? "ed25519") => hostKeys[type]?.fingerprint ?? "",
      async stop() {
        await host.close({ drainMs: 0 });
        dir.remove();
      },
    };
  } catch (error) {
    dir.remove();
    throw error;
  }
}

/** The next event of a type. */
export function nextEvent<Type extends keyof HostEvents>(host: TunnelHost, type: Type): Promise<HostEvents[Type]> {
  return new Promise((resolve) => host.addEventListener(type, resolve, { once: true }));
}

/** Sends `size` bytes through a port to an echo target. Returns whether the same bytes came back. */
export async function echoes(port: number | undefined, size = 1_000_000, host?: string): Promise<boolean> {
  const visitor = await visit(port, host);
  const sent = visitor.sendAll(patternChunks(size)).then(() => visitor.end());
  const { bytes, sha256 } = await visitor.hashAll();
  await sent;
  return bytes === size && sha256 === patternHash(size);
}
