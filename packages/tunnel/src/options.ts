/** The options of a ReverseTunnel and its calls. `check-options.ts` and `check-calls.ts` check them. @module */
import type { AuthEntry, MaybePromise } from "@postern/auth";
import type { Algorithms } from "@postern/crypto";
import type { Address, KeepAliveOptions, PacketTap, ProxyServer, rekeyLimits, SessionProgram } from "@postern/ssh";
import type { SshError } from "@postern/wire";
import type { HostKeyCheck } from "./host-key.ts";
import type { HostedService, HostedSession } from "./hosted-session.ts";
import type { BackoffOptions, ReconnectOptions } from "./reconnect.ts";
import type { Target } from "./target.ts";
import type { ForwardingLimits, ProxyProtocolVersion } from "./visitor-limits.ts";

/** An SSH server to dial. */
export interface Endpoint {
  readonly host: string;
  /** default 22 */
  readonly port: number;
}

/** An SSH server on the way to the next one, which permits `direct-tcpip` channels; see {@link TunnelOptions.via}. */
export interface JumpHost {
  /** name or address, as the previous jump host resolves it */
  readonly host: string;
  /** default 22 */
  readonly port?: number;
  readonly user: string;
  readonly auth: AuthEntry | readonly AuthEntry[];
  /** default: the tunnel's `hostKey`, which is called with this host and port */
  readonly hostKey?: HostKeyCheck;
  /** the name under which `knownHosts` looks up this jump host; see {@link TunnelOptions.hostKeyAlias} */
  readonly hostKeyAlias?: string;
}

/** The argument of `beforeReconnect`. */
export interface ReconnectInfo {
  /** 1 for the first attempt after the connection was lost */
  readonly attempt: number;
  readonly reason: SshError;
  /** aborts when the result is no longer needed: after `loginTimeoutMs`, or when the tunnel ends */
  readonly signal: AbortSignal;
}

/** Changes that `beforeReconnect` makes for this attempt and later ones. */
export interface ReconnectChanges {
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  readonly auth?: AuthEntry | readonly AuthEntry[];
  readonly hostKey?: HostKeyCheck;
}

/** Options of a ReverseTunnel. */
export interface TunnelOptions {
  /** name or address of the SSH server; either this or `hosts` is required */
  readonly host?: string;
  /** default 22 */
  readonly port?: number;
  /** several servers, tried in turn until a login succeeds */
  readonly hosts?: readonly (string | { readonly host: string; readonly port?: number })[];
  /** after a lost connection, tries `hosts` from the first one instead of the one that was connected; default false */
  readonly preferFirst?: boolean;
  readonly user: string;
  /** one login method, or several that are tried in order; see `password`, `privateKey` */
  readonly auth: AuthEntry | readonly AuthEntry[];
  /** decides whether to trust the server's host key; see `fingerprint` and `knownHosts` */
  readonly hostKey: HostKeyCheck;
  /**
   * the name under which `knownHosts` looks up the server instead of its host and port, as HostKeyAlias of
   * ssh_config(5); `fingerprint` does not need it
   */
  readonly hostKeyAlias?: string;
  /**
   * Jump hosts, at most 16. The first one is dialled, each next one is reached through the previous one, and the server
   * through the last, as with `ssh -J`. Each verifies its own host key and has its own login; none of them can read the
   * tunnel's traffic. Keepalive, rekey and algorithms apply to each. If one of the connections ends, all end.
   */
  readonly via?: readonly JumpHost[];
  /** a proxy that is dialled instead of the server or the first jump host; see `socks5` and `httpConnect` */
  readonly proxy?: ProxyServer;
  /** lists of algorithm values, best first; default: `modernAlgorithms` of the platform */
  readonly algorithms?: Partial<Algorithms>;
  /**
   * New keys are exchanged after this many bytes or packets in one direction, or milliseconds, and not before the login
   * is complete. Default 1 GiB, 2^31, one hour. For a server that fails when the client rekeys: `{ bytes: Infinity, ms:
   * Infinity }`, which leaves the limits that the ciphers need, 64 GiB and 2^31 packets.
   */
  readonly rekey?: { readonly bytes?: number; readonly packets?: number; readonly ms?: number };
  /**
   * Sends a keepalive after `intervalMs` without data from the server, and drops the connection after `countMax` of
   * them without an answer. Default 30 s, 5. An interval of 0 turns it off.
   */
  readonly keepAlive?: Partial<KeepAliveOptions>;
  /** when and how often to reconnect; default: mode `established`, every 5 s, without limit */
  readonly reconnect?: Partial<Omit<ReconnectOptions, "backoff">> & { readonly backoff?: Partial<BackoffOptions> };
  /**
   * Called before each attempt to reconnect, for fresh credentials or another server. The attempt fails if it throws,
   * or takes longer than `loginTimeoutMs`.
   */
  readonly beforeReconnect?: (info: ReconnectInfo) => MaybePromise<ReconnectChanges | undefined>;
  /**
   * Ends the tunnel with the error if the server refuses a first request, or refuses a port for good after a
   * reconnection. A port that is still taken after a reconnection is retried in any case. Default false: only the
   * forwarding ends.
   */
  readonly exitOnForwardFailure?: boolean;
  /**
   * Opens one session on each connection, for services that need it or print the URL there: right behind the first
   * request for a port, without waiting for its answer. Its requests want no reply, its text is the event `message`,
   * and its end does not end the tunnel.
   */
  readonly session?: SessionProgram;
  /**
   * How a hosted service differs from sshd: the presets, such as `pinggy()`, bring it, and `hostedService(…)` makes it.
   * `@postern/web` needs it for each `session`.
   */
  readonly service?: HostedService;
  /** probes each open forwarding every `intervalMs`, and fires `selfcheck`; default 0, never */
  readonly selfCheck?: { readonly intervalMs: number };
  /**
   * milliseconds from the dial to the end of login, including the proxy, jump hosts and host key checks; also the limit
   * of `beforeReconnect`; default 60 s
   */
  readonly loginTimeoutMs?: number;
  /** milliseconds to connect to a target; default 30 s */
  readonly targetTimeoutMs?: number;
  /**
   * Called before each attempt to connect, once with each jump host and then with the server. Returns a tap, which sees
   * every packet of that connection in plain text, with passwords and all data. If it throws, the attempt fails. An
   * error of the tap itself does not change the connection, and is reported as uncaught, which ends a Node.js process.
   */
  readonly tap?: (server: Endpoint) => PacketTap | undefined;
}

/** A visitor has connected to the server's port. */
export interface ChannelOpenRequest {
  /** our channel number */
  readonly channelId: number;
  /** the visitor's address, as the server reports it; not verified; empty for a UNIX socket */
  readonly origin: Address;
  /** the listening address, as requested, and the port; of a UNIX socket, its path and 0 */
  readonly address: string;
  readonly port: number;
}

/** Options that `forward` and `listen` share. */
export interface RequestOptions {
  /**
   * Sent to the server as it is: `""` means all addresses, `0.0.0.0` all of IPv4, `::` all of IPv6. Default
   * `localhost`: loopback of both (RFC 4254 section 7.1).
   */
  readonly address?: string;
  /** 0 lets the server choose; either this or `path` is required, unless the tunnel's `service` has a default */
  readonly port?: number;
  /**
   * The path of a UNIX socket on the server (`streamlocal-forward@openssh.com`). A relative path is relative to the
   * user's home directory in OpenSSH.
   */
  readonly path?: string;
  /**
   * Decides whether to accept a visitor; default: all. Only `true` accepts. SSH does not report a visitor who leaves
   * before the decision, so a late decision delays the visitor and a `close()` with `drainMs`.
   */
  readonly onOpen?: (request: ChannelOpenRequest) => MaybePromise<boolean>;
  /**
   * milliseconds within which `onOpen` must decide; after that the visitor is refused and `visitorerror` fires; default
   * 30 s
   */
  readonly onOpenTimeoutMs?: number;
  /**
   * Retries a port that is taken until it is free, for example while the server still holds it for a dead session.
   * Continues on the next connection if this one is lost. Default `false`.
   */
  readonly wait?: boolean;
  /**
   * After a reconnection, waits for the port that the server chose for `port: 0`. By default another one is taken if
   * that is held.
   */
  readonly keepPort?: boolean;
  /** limits on the visitors of this forwarding; default: none */
  readonly limits?: ForwardingLimits;
  /** aborts the call; a forwarding that has been returned is not affected */
  readonly signal?: AbortSignal;
}

/** Options of `ReverseTunnel.forward`. */
export interface ForwardOptions extends RequestOptions {
  /**
   * The address to which each visitor is connected: `{ host, port }`, or `{ path }` of a UNIX socket. With `"socks"`,
   * each visitor names the address: the port is a SOCKS proxy (SOCKS5, SOCKS4 and SOCKS4a), and `allow` is required.
   */
  readonly target: Target | "socks";
  /**
   * Decides about each address that a visitor of `target: "socks"` requests. Only `true` allows it.
   * A name is as the visitor wrote it and is resolved afterwards, so name what is allowed, not what is forbidden. Has
   * `onOpenTimeoutMs`.
   */
  readonly allow?: (target: Address, visitor: ChannelOpenRequest) => MaybePromise<boolean>;
  /**
   * Sends the visitor's address to the target, in a header of the PROXY protocol before the visitor's bytes (before
   * TLS). The target must expect it, as nginx does with `listen … proxy_protocol`. Default: no header.
   */
  readonly proxyProtocol?: ProxyProtocolVersion;
  /**
   * milliseconds during which a target that cannot be reached is dialled again, for example while it restarts, before
   * the visitor is refused; default 0
   */
  readonly targetRetryMs?: number;
}

/** Options of `ReverseTunnel.listen`. */
export interface ListenOptions extends RequestOptions {
  /** how many visitors may wait until the program takes them; more are refused; default 1024 */
  readonly backlog?: number;
}

/** Options of `ReverseTunnel.close`. */
export interface CloseOptions {
  /**
   * shortens the wait: ends the drain, and drops the connection without waiting for the server; `close()` still
   * resolves
   */
  readonly signal?: AbortSignal;
  /** milliseconds that open connections may take to finish, after the ports are freed; default 0 */
  readonly drainMs?: number;
}

/** A jump host with the defaults filled in, except for the tunnel's `hostKey`. */
export interface CheckedJumpHost extends Endpoint {
  readonly user: string;
  readonly auth: readonly AuthEntry[];
  readonly hostKey: HostKeyCheck | undefined;
  readonly hostKeyAlias: string | undefined;
}

/** Options with the defaults filled in. */
export interface CheckedOptions {
  /** at least one */
  readonly endpoints: readonly Endpoint[];
  readonly preferFirst: boolean;
  readonly user: string;
  readonly auth: readonly AuthEntry[];
  readonly hostKey: HostKeyCheck;
  readonly hostKeyAlias: string | undefined;
  readonly via: readonly CheckedJumpHost[];
  readonly proxy: ProxyServer | undefined;
  readonly algorithms: Algorithms;
  readonly rekey: ReturnType<typeof rekeyLimits>;
  readonly keepAlive: KeepAliveOptions;
  readonly reconnect: ReconnectOptions;
  readonly beforeReconnect: TunnelOptions["beforeReconnect"];
  readonly exitOnForwardFailure: boolean;
  readonly hosted: HostedSession | undefined;
  readonly selfCheckMs: number;
  readonly loginTimeoutMs: number;
  readonly targetTimeoutMs: number;
  readonly tap: TunnelOptions["tap"];
}

/** A checked request for a port, with the defaults filled in. Without a target it is a listener's. */
export type CheckedForwarding = RequestOptions & {
  readonly proxyProtocol?: ProxyProtocolVersion;
  readonly targetRetryMs?: number;
  /** of a UNIX socket, its path; it has no port */
  readonly address: string;
  readonly target: Target | "socks" | undefined;
  readonly allow?: ForwardOptions["allow"];
  readonly backlog: number;
  readonly onOpenTimeoutMs: number;
};
