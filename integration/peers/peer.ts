/** What the table of peers knows of each of them, and how the trials start one. @module */
import type { RunningHost } from "../harness/clients/host.ts";
import type { KeyPair, KeyType, MakeKeyOptions, SshServer } from "../harness/index.ts";

export interface Peer {
  readonly name: string;
  /** Undefined if the peer is there; otherwise why not. */
  readonly missing: () => string | undefined;
  /** The newer release of the same program, which runs in a folder of its own. */
  readonly newer?: boolean;
  /** The type of the host key and of the user's; default `ed25519`. */
  readonly keyType?: KeyType;
  /** The format in which the peer reads its key; default that of OpenSSH. */
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
  /** The server starts a rekey after so many bytes. */
  readonly rekeyBytes?: number | undefined;
}

export interface RunningServer extends SshServer {
  readonly log: () => string;
  stop(): Promise<void>;
}

/** A client that asks our `TunnelHost` for a remote forward. */
export interface PeerClient extends Peer {
  start(options: ClientStart): Promise<StartedClient>;
}

export interface ClientStart {
  readonly server: RunningHost;
  readonly user: KeyPair;
  /** The port to ask for: some clients cannot tell which one they got for 0. */
  readonly listen: number;
  readonly target: number;
  readonly rekeyBytes?: number | undefined;
}

export interface StartedClient {
  /** Resolves when the client has its port; rejects if it ends before. */
  readonly listening: Promise<unknown>;
  /** Makes the client cancel its forwarding and stay connected; absent if it cannot. */
  readonly cancel?: () => Promise<unknown>;
  readonly log: () => string;
  stop(): Promise<void>;
}
