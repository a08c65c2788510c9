/** The functions that make login methods, host key checks and pipes of what a configuration names. @module */
import type { AuthMethod, MaybePromise } from "@postern/auth";
import type { BytePipe } from "@postern/ssh";
import type { TunnelOptions, UnknownHostKey } from "@postern/tunnel";
import type { SshConfigAlgorithms } from "./algorithm-lists.ts";
import type { OfferedKeyText } from "./known-hosts-command.ts";

/** How to check host keys. */
export interface KnownHostsPlan {
  /** the user's files; the first one takes new keys */
  readonly files: readonly string[];
  /** the files of the system */
  readonly globalFiles: readonly string[];
  readonly mode: "strict" | "accept-new";
  /** decides about unknown keys; with the mode `strict` only */
  readonly ask?: (key: UnknownHostKey) => MaybePromise<boolean>;
  /** whether to hash the names of new lines */
  readonly hash: boolean;
  readonly updateHostKeys: boolean;
  /** RSA keys with fewer bits are refused. */
  readonly requiredRsaBits: number;
  /** the algorithms of HostKeyAlgorithms that we have, best first, with those of certificates */
  readonly hostKeyNames: readonly string[];
  /** Whether the user has chosen them. UpdateHostKeys then removes keys of types that they leave out, as ssh does. */
  readonly choseHostKeys: boolean;
  /** the signature algorithms of CAs; default: all */
  readonly authorities?: SshConfigAlgorithms;
  /** Accepts every key, of a host that is this machine. */
  readonly acceptsAny?: true;
  /** a file of keys that are never accepted */
  readonly revokedHostKeys?: string;
  /**
   * Runs KnownHostsCommand, and returns more lines of known_hosts. Without a key, those of the host. Set only if
   * commands may run.
   */
  readonly command?: (key?: OfferedKeyText) => Promise<string>;
}

/** How to log in with a private key file. */
export interface PrivateKeyFilePlan {
  /** called if the key is encrypted */
  readonly passphrase?: () => MaybePromise<string>;
  /** the line of an OpenSSH user certificate for this key; `false`: none */
  readonly certificate: string | false;
}

/** Makes the parts of tunnel options. */
export interface SshConfigParts {
  privateKeyFile(path: string, plan: PrivateKeyFilePlan): AuthMethod;
  /**
   * `path`: the socket; default: the agent of Windows. `identity`: the lines of the public keys to offer; default: all
   * that the agent holds. `certificate`: lines of certificates for its keys.
   */
  agent(plan: {
    readonly path?: string;
    readonly identity?: readonly string[];
    readonly certificate?: readonly string[];
  }): AuthMethod;
  knownHosts(plan: KnownHostsPlan): TunnelOptions["hostKey"];
  /** Runs a line of the system's shell, whose input and output are the connection. */
  commandPipe(command: string, signal: AbortSignal, onStderr?: (text: string) => void): Promise<BytePipe>;
  /** for servers that ask for no credentials */
  none(): AuthMethod;
}
