/** A client and a server in one process, joined by a pipe in memory. */
import { password } from "@postern/auth";
import type { Signer } from "@postern/crypto";
import { modernAlgorithms, parsePrivateKey, signer } from "@postern/noble";
import { pipePair, seededRandom } from "@postern/testkit";
import {
  accept,
  type BytePipe,
  type ClientOptions,
  connect,
  type ServerOptions,
  type SshConnection,
} from "../src/index.ts";

/** A key for these tests only: ssh-keygen -t ed25519 -N '' -C test */
const hostKeyText = `-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACCDR21qHwhivAOg5W73/HK5y6aq9eBwjJ7VBi+uHsn8cwAAAIgQUdlVEFHZ
VQAAAAtzc2gtZWQyNTUxOQAAACCDR21qHwhivAOg5W73/HK5y6aq9eBwjJ7VBi+uHsn8cw
AAAEDRfVJeMsHa0AfqXSr5dnsSdAQcPN+OLr5BZ4CxhW5hW4NHbWofCGK8A6Dlbvf8crnL
pqr14HCMntUGL64eyfxzAAAABHRlc3QB
-----END OPENSSH PRIVATE KEY-----
`;

const hostKey = (): Signer => signer(parsePrivateKey(hostKeyText));

export interface World {
  readonly client: SshConnection;
  readonly server: SshConnection;
}

export interface WorldOptions {
  readonly client?: Partial<ClientOptions>;
  readonly server?: Partial<ServerOptions>;
  readonly seed?: string;
  readonly pipes?: [BytePipe, BytePipe];
}

export const clientOptions = (seed: string): ClientOptions => ({
  algorithms: modernAlgorithms,
  random: seededRandom(`${seed} client`),
  user: "test",
  auth: [password("secret")],
  hostKey: () => true,
});

export const serverOptions = (seed: string): ServerOptions => ({
  algorithms: modernAlgorithms,
  random: seededRandom(`${seed} server`),
  hostKeys: [hostKey()],
  authenticate: (attempt) => attempt.method === "password" && attempt.password === "secret",
});

/** Logs in. */
export async function world({ client, server, seed = "world", pipes = pipePair() }: WorldOptions = {}): Promise<World> {
  const [left, right] = pipes;
  const [ours, theirs] = await Promise.all([
    connect(left, { ...clientOptions(seed), ...client }),
    accept(right, { ...serverOptions(seed), ...server }),
  ]);
  return { client: ours, server: theirs };
}
