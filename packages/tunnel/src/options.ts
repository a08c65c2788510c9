/** The options of a ReverseTunnel and its calls. `check-options.ts` checks those of the tunnel itself. @module */
import type { AuthMethod, MaybePromise } from "@postern/auth";
import type { Algorithms } from "@postern/crypto";
import { type CallOptions, checkOptions, type KeepAliveOptions, type rekeyLimits } from "@postern/ssh";
import {
  expectInteger,
  expectNumber,
  expectPort,
  expectSignal,
  expectText,
  expectType,
  Limits,
  SshError,
} from "@postern/wire";
import type { HostKeyCheck } from "./host-key.ts";
import type { Target } from "./platform.ts";
import type { BackoffOptions, ReconnectOptions } from "./reconnect.ts";

/** An SSH host to dial. */
export interface Endpoint {
  readonly host: string;
  /** default 22 */
  readonly port: number;
}

/** What `beforeReconnect` is told, and may change for the attempts from now on. */
export interface ReconnectInfo {
  /** 1 for the first attempt after the connection was lost */
  readonly attempt: number;
  readonly reason: SshError;
  /** fires when the answer is not needed any more: after `loginTimeoutMs`, or when the tunnel ends */
  readonly signal: AbortSignal;
}
export interface ReconnectChanges {
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  readonly auth?: readonly AuthMethod[];
  readonly hostKey?: HostKeyCheck;
}

/** Options of a ReverseTunnel. */
export interface TunnelOptions {
  /** the SSH host: a name or an address; this or `hosts` */
  readonly host?: string;
  /** default 22 */
  readonly port?: number;
  /** several hosts, gone through in turn until one can be logged in to */
  readonly hosts?: readonly (string | { readonly host: string; readonly port?: number })[];
  /** after a loss `hosts` are gone through from the first one, instead of from the one that was open; default false */
  readonly preferFirst?: boolean;
  readonly user: string;
  /** tried in order; see `password`, `privateKey` */
  readonly auth: readonly AuthMethod[];
  /** whom to trust: nothing is trusted by default; see `fingerprint` */
  readonly hostKey: HostKeyCheck;
  /** lists of algorithm values, best first; default the platform's `modern` */
  readonly algorithms?: Partial<Algorithms>;
  /**
   * new keys after so many bytes or packets in one direction, or milliseconds; default 1 GiB, 2^31, one hour. For a host that does not survive our
   * rekey: `{ bytes: Infinity, ms: Infinity }`, which leaves the limits that the ciphers need, 64 GiB and 2^31 packets
   */
  readonly rekey?: { readonly bytes?: number; readonly packets?: number; readonly ms?: number };
  /** a host that says nothing for `intervalMs` is asked, and lost after `countMax` questions without an answer; default 30 s, 5; 0 ms: off */
  readonly keepAlive?: Partial<KeepAliveOptions>;
  /** what happens when the connection is lost; default `established`, 5 s, without end */
  readonly reconnect?: Partial<Omit<ReconnectOptions, "backoff">> & { readonly backoff?: Partial<BackoffOptions> };
  /**
   * Called before each attempt to reconnect, for fresh credentials or another host. An error makes the attempt fail, and so does an answer that
   * takes longer than `loginTimeoutMs`.
   */
  readonly beforeReconnect?: (info: ReconnectInfo) => MaybePromise<ReconnectChanges | undefined>;
  /**
   * Ends the tunnel with the error when the server refuses a first request, or refuses a port for good after a reconnection. A port that is still
   * held after a reconnection is waited for in any case. Default false: such a forwarding ends alone.
   */
  readonly exitOnForwardFailure?: boolean;
  /** `intervalMs`: how often each open forwarding is probed, told by the event `selfcheck`; default 0, never */
  readonly selfCheck?: { readonly intervalMs: number };
  /** milliseconds from dialling to logged in, the decision about the host key included, and for `beforeReconnect`; default 60 s */
  readonly loginTimeoutMs?: number;
  /** milliseconds to connect to a target of local forwarding; default 30 s */
  readonly targetTimeoutMs?: number;
}

/** A visitor of the host's port asks for a channel. */
export interface ChannelOpenRequest {
  /** our number of the channel */
  readonly channelId: number;
  /** where the visitor comes from, as the host tells; not verified by anybody else */
  readonly origin: Target;
  /** the listening address, as requested, and the port */
  readonly address: string;
  readonly port: number;
}

/** What `forward` and `listen` share. */
interface RequestOptions {
  /**
   * Sent to the server as it is: `""` means all addresses, `0.0.0.0` all of IPv4, `::` all of IPv6. Default `localhost`: loopback of
   * both (RFC 4254 section 7.1).
   */
  readonly address?: string;
  /** 0 lets the server choose */
  readonly port: number;
  /**
   * Decides whether to accept a visitor; default: all. Only `true` accepts. SSH does not report a visitor who leaves before the
   * decision, so a late decision delays the visitor and a `close()` with `drainMs`.
   */
  readonly onOpen?: (request: ChannelOpenRequest) => MaybePromise<boolean>;
  /** milliseconds within which `onOpen` must decide; after that the visitor is refused and `visitorerror` fires; default 30 s */
  readonly onOpenTimeoutMs?: number;
  /**
   * Retries a port that is taken until it is free, for example while the server still holds it for a dead session. Continues on the
   * next connection if this one is lost. Default `false`.
   */
  readonly wait?: boolean;
  /** After a reconnection, waits for the port that the server chose for `port: 0`. By default another one is taken if that is held. */
  readonly keepPort?: boolean;
  /** aborts the call; a forwarding that has been returned is not affected */
  readonly signal?: AbortSignal;
}

/** Options of `ReverseTunnel.forward`. */
export interface ForwardOptions extends RequestOptions {
  /** where each visitor is connected to */
  readonly target: Target;
}

/** Options of `ReverseTunnel.listen`. */
export interface ListenOptions extends RequestOptions {
  /** how many visitors may wait until the program takes them; more are refused; default 1024 */
  readonly backlog?: number;
}

/** Options of `ReverseTunnel.close`. */
export interface CloseOptions {
  /** with `drainMs`, ends the wait; otherwise drops the connection without waiting for the server */
  readonly signal?: AbortSignal;
  /** milliseconds that open connections may take to finish, after the ports are freed; default 0 */
  readonly drainMs?: number;
}

/** Options with the defaults filled in. */
export interface CheckedOptions {
  /** at least one */
  readonly endpoints: readonly Endpoint[];
  readonly preferFirst: boolean;
  readonly user: string;
  readonly auth: readonly AuthMethod[];
  readonly hostKey: HostKeyCheck;
  readonly algorithms: Algorithms;
  readonly rekey: ReturnType<typeof rekeyLimits>;
  readonly keepAlive: KeepAliveOptions;
  readonly reconnect: ReconnectOptions;
  readonly beforeReconnect: TunnelOptions["beforeReconnect"];
  readonly exitOnForwardFailure: boolean;
  readonly selfCheckMs: number;
  readonly loginTimeoutMs: number;
  readonly targetTimeoutMs: number;
}

/** A checked request for a port, defaults filled in; without a target it is a listener's. */
export type CheckedForwarding = RequestOptions & {
  readonly address: string;
  readonly target: Target | undefined;
  readonly backlog: number;
  readonly onOpenTimeoutMs: number;
};

const requestOptions = ["address", "port", "onOpen", "onOpenTimeoutMs", "wait", "keepPort", "signal"] as const;

/** @throws SshError `misuse` that names the option, what was expected and what came */
export function checkForwardOptions(given: ForwardOptions): CheckedForwarding {
  const { target } = checkRequest("forward", given, "target");
  if (target === undefined)
    throw new SshError("misuse", "expected a target, such as { host: '127.0.0.1', port: 80 }; listen() needs none");
  checkOptions("target", target, ["host", "port"]);
  expectText("target.host", target.host);
  expectPort("target.port", target.port, 1);
  return withDefaults(given, target, Limits.backlog);
}

/** @throws SshError `misuse` that names the option, what was expected and what came */
export function checkListenOptions(given: ListenOptions): CheckedForwarding {
  const { backlog = Limits.backlog } = checkRequest("listen", given, "backlog");
  expectInteger("backlog", backlog, 1);
  return withDefaults(given, undefined, backlog);
}

function checkRequest<Options extends RequestOptions>(
  what: string,
  given: Options,
  own: keyof Options & string,
): Options {
  checkOptions(what, given, [...requestOptions, own]);
  if (given.address !== undefined) expectType("address", given.address, "string");
  expectPort("port", given.port, 0);
  if (given.onOpen !== undefined) expectType("onOpen", given.onOpen, "function");
  if (given.onOpenTimeoutMs !== undefined) expectNumber("onOpenTimeoutMs", given.onOpenTimeoutMs, 1);
  for (const name of ["wait", "keepPort"] as const)
    if (given[name] !== undefined) expectType(name, given[name], "boolean");
  expectSignal(given.signal);
  return given;
}

function withDefaults(given: RequestOptions, target: Target | undefined, backlog: number): CheckedForwarding {
  const { address = "localhost", onOpenTimeoutMs = Limits.onOpenTimeoutMs } = given;
  return { ...given, address, target, backlog, onOpenTimeoutMs };
}

/** @throws SshError `misuse` */
export function checkCallOptions(what: string, given: CallOptions): void {
  checkOptions(what, given, ["signal"]);
  expectSignal(given.signal);
}

/** Returns `drainMs`. @throws SshError `misuse` */
export function checkCloseOptions(given: CloseOptions): number {
  checkOptions("close", given, ["drainMs", "signal"]);
  expectSignal(given.signal);
  const { drainMs = 0 } = given;
  expectNumber("drainMs", drainMs);
  return drainMs;
}
