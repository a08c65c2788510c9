/** The configuration of `postern up`. The schema in `schema.ts` checks it. @module */

/**
 * A secret, which is never in the file itself: the name of a variable of the environment, or the path of a file. The
 * file is read at each login. Its last line end is removed.
 */
export type Secret = { readonly env: string } | { readonly file: string };

/** A private key to log in with. */
export interface IdentityConfig {
  /** the path of the private key */
  readonly file: string;
  /** the path of its certificate; default: that of the file and `-cert.pub`, if it exists */
  readonly certificate?: string;
  readonly passphrase?: Secret;
}

/** Trust in a host key: fingerprints `SHA256:…`, or known_hosts files. */
export type HostKeyConfig =
  | string
  | readonly string[]
  | {
      /** known_hosts files; new keys go to the first */
      readonly knownHosts: readonly string[];
      /** `accept-new` stores and accepts the key of a server that has no known key; default `strict` */
      readonly mode?: "strict" | "accept-new";
    };

/** How to log in. The methods are tried in the order identity, agent, password. */
export interface LoginConfig {
  readonly identity?: string | readonly (string | IdentityConfig)[];
  /** `true`: the agent of `SSH_AUTH_SOCK`; a text: the path of its socket */
  readonly agent?: boolean | string;
  readonly password?: Secret;
  /** default: the known_hosts files of OpenSSH */
  readonly hostKey?: HostKeyConfig;
  /** the name under which `known_hosts` lists the server */
  readonly hostKeyAlias?: string;
}

/** A jump host. */
export interface JumpHostConfig extends LoginConfig {
  readonly host: string;
  /** default 22 */
  readonly port?: number;
  readonly user: string;
}

/** A host or an alias of ssh_config(5). */
export interface SshAliasConfig {
  /** as on the command line of ssh: an alias, or `user@host` */
  readonly host: string;
  /** reads only this file, as `ssh -F` */
  readonly file?: string;
  /** permits Match exec, ProxyCommand and KnownHostsCommand to run commands; default `false` */
  readonly allowExec?: boolean;
}

/** A hosted service, with the options of its preset. */
export type ServiceConfig =
  | { readonly name: "localhost.run" | "serveo" | "srv.us" }
  | { readonly name: "pinggy"; readonly token?: Secret; readonly type?: "http" | "tcp" | "tls" }
  | { readonly name: "ngrok"; readonly exec?: string }
  | { readonly name: "sish"; readonly host: string; readonly port?: number }
  | { readonly name: "frp"; readonly host: string; readonly port?: number; readonly exec: string };

/** The address to which connections are forwarded. */
export type TargetConfig =
  | { readonly host: string; readonly port: number /** TLS with the target */; readonly tls?: boolean }
  | { readonly path: string };

/** A port or UNIX socket of the server, whose visitors reach a target here. */
export interface ForwardConfig {
  /** `""` means all addresses; default `localhost` */
  readonly address?: string;
  /** 0 lets the server choose */
  readonly port?: number;
  /** the path of a UNIX socket on the server */
  readonly path?: string;
  /** `socks`: each visitor names its target, which `allow` must permit */
  readonly target: "socks" | TargetConfig;
  /** targets of SOCKS, such as `*.internal:443` or `10.0.0.5:*` */
  readonly allow?: readonly string[];
  readonly limits?: {
    readonly connections?: number;
    readonly bytesPerSecond?: number;
    readonly idleTimeoutMs?: number;
    readonly lifetimeMs?: number;
  };
  /** sends the visitor's address to the target in a header of the PROXY protocol */
  readonly proxyProtocol?: 1 | 2;
  /** retries a port that is taken; default `true` */
  readonly wait?: boolean;
  /** waits for the port that the server chose for port 0, after a reconnection; default `false` */
  readonly keepPort?: boolean;
  /** milliseconds during which a target that cannot be reached is dialled again; default 0 */
  readonly targetRetryMs?: number;
  /** the public URL, for `status`, if the server does not print it */
  readonly url?: string;
}

/** A port or UNIX socket of this machine. */
export interface LocalListenConfig {
  readonly address?: string;
  readonly port?: number;
  readonly path?: string;
  readonly limits?: { readonly connections?: number };
}

/** A port or UNIX socket of this machine, whose connections the server makes to a target. */
export interface LocalForwardConfig extends LocalListenConfig {
  readonly target: { readonly host: string; readonly port: number } | { readonly path: string };
}

/** A tunnel. It has exactly one of `host`, `ssh` and `service`. */
export interface TunnelConfig extends LoginConfig {
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  /** an alias of ssh_config(5); its forwardings are opened, too, unless the tunnel lists some */
  readonly ssh?: string | SshAliasConfig;
  readonly service?: string | ServiceConfig;
  readonly via?: readonly JumpHostConfig[];
  /** `socks5://`, `http://` or `https://` */
  readonly proxy?: string;
  readonly keepAlive?: { readonly intervalMs?: number; readonly countMax?: number };
  readonly reconnect?: {
    /** default 1000 */
    readonly intervalMs?: number;
    /** default: without limit */
    readonly maxRetries?: number;
    /** default 2 */
    readonly factor?: number;
    /** default 60000 */
    readonly maxIntervalMs?: number;
  };
  readonly loginTimeoutMs?: number;
  readonly targetTimeoutMs?: number;
  readonly forwards?: readonly ForwardConfig[];
  readonly local?: readonly LocalForwardConfig[];
  readonly dynamic?: readonly LocalListenConfig[];
}

/** The configuration of `postern up`. */
export interface TunnelsConfig {
  readonly $schema?: string;
  readonly log?: { /** default `info` */ readonly level?: "debug" | "info" | "warn" | "error" };
  /** an HTTP server with `/healthz` and `/metrics`; default: none */
  readonly health?: { /** default 127.0.0.1 */ readonly address?: string; readonly port: number };
  /** the path of the control socket */
  readonly control?: string;
  /** milliseconds that open connections may take to finish when a tunnel is stopped; default 5000 */
  readonly drainMs?: number;
  /** reloads the file when it changes; default `true` */
  readonly watch?: boolean;
  readonly tunnels: Readonly<Record<string, TunnelConfig>>;
}

/**
 * Returns the configuration unchanged. For its types, in a module that `postern up` reads.
 *
 * @example
 * export default defineTunnels({ tunnels: { shop: { ssh: "my-server", forwards: [] } } });
 */
export function defineTunnels(config: TunnelsConfig): TunnelsConfig {
  return config;
}
