/** The options of a ReverseTunnel and its calls. `check-options.ts` checks those of the tunnel itself. @module */
import type { AuthMethod, MaybePromise } from "@postern/auth";
import type { Algorithms } from "@postern/crypto/platform";
import { type CallOptions, checkOptions, type KeepAliveOptions, type rekeyLimits } from "@postern/ssh";
import {
  expectInteger,
  expectNumber,
  expectPort,
  expectSignal,
  expectText,
  expectType,
  Limits,
  type SshError,
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
  /** fires when the answer is not needed any more: after `logonTimeoutMs`, or when the tunnel ends */
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
  /** several hosts, gone through in turn until one can be logged on to */
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
   * takes longer than `logonTimeoutMs`.
   */
  readonly beforeReconnect?: (info: ReconnectInfo) => MaybePromise<ReconnectChanges | undefined>;
  /**
   * Ends the tunnel with the error when the server refuses a first request, or refuses a port for good after a reconnection. A port that is still
   * held after a reconnection is waited for in any case. Default false: such a forwarding ends alone.
   */
  readonly exitOnForwardFailure?: boolean;
  /** `intervalMs`: how often each open forwarding is probed, told by the event `selfcheck`; default 0, never */
  readonly selfCheck?: { readonly intervalMs: number };
  /** milliseconds from dialling to logged on, the decision about the host key included, and for `beforeReconnect`; default 60 s */
  readonly logonTimeoutMs?: number;
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

/** What `requestForwarding` takes. */
export interface ForwardingOptions {
  /**
   * sent to the host word for word: `""` is all addresses, `0.0.0.0` all of IPv4, `::` all of IPv6; default `localhost`, which is loopback of
   * both (RFC 4254 section 7.1)
   */
  readonly address?: string;
  /** 0 lets the host choose */
  readonly port: number;
  /** local forwarding: where bytes flow to; without it the forwarding is event based */
  readonly target?: Target;
  /**
   * Whether to take a visitor; default all. An error, or anything but `true`, refuses. SSH does not report a visitor who leaves before the
   * decision, so a late decision costs the visitor and a `drain` their time.
   */
  readonly onOpen?: (request: ChannelOpenRequest) => MaybePromise<boolean>;
  /** how many visitors may wait for the program to take them, without a target; further ones are refused; default 1024 */
  readonly backlog?: number;
  /** milliseconds until `onOpen` must have answered; after that the visitor is refused and `visitorerror` fires; default 30 s */
  readonly onOpenTimeoutMs?: number;
  /**
   * Requests a port that is taken again until it is free, such as when a session that died with its program still holds it. Continues on the
   * next connection if this one is lost. Default false.
   */
  readonly wait?: boolean;
  /** After a reconnection, waits for the port that the server chose for `port: 0`. By default another one is taken if that is held. */
  readonly keepPort?: boolean;
}

/** What `drain` takes. */
export interface DrainOptions {
  /** ends the wait early */
  readonly signal?: AbortSignal;
  /** milliseconds that connections may take to finish; default 30 s */
  readonly deadlineMs?: number;
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
  readonly logonTimeoutMs: number;
  readonly targetTimeoutMs: number;
}

/** What `requestForwarding` takes, with the defaults filled in. */
export type CheckedForwarding = ForwardingOptions & {
  readonly address: string;
  readonly backlog: number;
  readonly onOpenTimeoutMs: number;
};

const forwardingOptions = [
  "address",
  "port",
  "target",
  "onOpen",
  "backlog",
  "onOpenTimeoutMs",
  "wait",
  "keepPort",
] as const satisfies readonly (keyof ForwardingOptions)[];

/** @throws SshError `misuse` that names the option, what was expected and what came */
export function checkForwardingOptions(given: ForwardingOptions): CheckedForwarding {
  checkOptions("requestForwarding", given, forwardingOptions);
  const { address = "localhost", port, target, onOpen } = given;
  const { backlog = Limits.backlog, onOpenTimeoutMs = Limits.onOpenTimeoutMs } = given;
  expectType("address", address, "string");
  expectPort("port", port, 0);
  if (target !== undefined) {
    checkOptions("target", target, ["host", "port"]);
    expectText("target.host", target.host);
    expectPort("target.port", target.port, 1);
  }
  if (onOpen !== undefined) expectType("onOpen", onOpen, "function");
  expectInteger("backlog", backlog, 1);
  for (const name of ["wait", "keepPort"] as const)
    if (given[name] !== undefined) expectType(name, given[name], "boolean");
  expectNumber("onOpenTimeoutMs", onOpenTimeoutMs, 1);
  return { ...given, address, backlog, onOpenTimeoutMs };
}

/** @throws SshError `misuse` */
export function checkCallOptions(what: string, given: CallOptions): void {
  checkOptions(what, given, ["signal"]);
  expectSignal(given.signal);
}

/** The deadline. @throws SshError `misuse` */
export function checkDrainOptions(given: DrainOptions): number {
  checkOptions("drain", given, ["deadlineMs", "signal"]);
  expectSignal(given.signal);
  const { deadlineMs = Limits.drainMs } = given;
  expectNumber("deadlineMs", deadlineMs, 0);
  return deadlineMs;
}
