/** Peers: their properties, and how the trials start them. @module */
import type { ClientTarget, RunningHost } from "../harness/clients/host.ts";
import type { KeyPair, KeyType, MakeKeyOptions, SshServer } from "../harness/index.ts";

export interface Peer {
  readonly name: string;
  /** Returns undefined if the peer is installed, otherwise the reason. */
  readonly missing: () => string | undefined;
  /** True for the newer release of the same program, which runs in a folder of its own. */
  readonly newer?: boolean;
  /** The type of the host key and of the user's key. Default: `ed25519`. */
  readonly keyType?: KeyType;
  /** The format of the peer's key file. Default: that of OpenSSH. */
  readonly keyFormat?: MakeKeyOptions["format"];
  /** Whether the peer can be made to start a rekey. */
  readonly rekeys: boolean;
  readonly remarks?: string;
}

/** An SSH server that grants a remote forward to our `ReverseTunnel`. */
export interface PeerServer extends Peer {
  start(options: ServerStart): Promise<RunningServer>;
}

export interface ServerStart {
  readonly user: KeyPair;
  /** The number of bytes after which the server starts a rekey. */
  readonly rekeyBytes?: number | undefined;
}

export interface RunningServer extends SshServer {
  readonly log: () => string;
  stop(): Promise<void>;
}

/** A client that requests a remote forward from our `TunnelHost`. */
export interface PeerClient extends Peer {
  start(options: ClientStart): Promise<StartedClient>;
}

export interface ClientStart {
  /** Its `host` reports the forwardings of clients that do not print them. */
  readonly server: ClientTarget & Partial<Pick<RunningHost, "host">>;
  readonly user: KeyPair;
  /** The port to request. Some clients cannot report the port that they received for 0. */
  readonly listen: number;
  readonly target: number;
  readonly rekeyBytes?: number | undefined;
}

export interface StartedClient {
  /** Resolves when the client has its port; rejects if it ends before. */
  readonly listening: Promise<unknown>;
  /** Makes the client cancel its forwarding and stay connected. Absent if it cannot. */
  readonly cancel?: () => Promise<unknown>;
  readonly log: () => string;
  stop(): Promise<void>;
}
