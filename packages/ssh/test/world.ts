/** A client and a server in one process, joined by a pipe in memory. */
import { password } from "@postern/auth";
import { modernAlgorithms } from "@postern/noble";
import { pipePair, seededRandom, testHostKey } from "@postern/testkit";
import {
  accept,
  type BytePipe,
  type ClientOptions,
  connect,
  type ServerOptions,
  type SshConnection,
} from "../src/index.ts";

const hostKey = testHostKey;

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
