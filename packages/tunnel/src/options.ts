/** What a ReverseTunnel is told, and the checking of it. @module */
import type { AuthMethod, MaybePromise } from "@postern/auth";
import type { Algorithms } from "@postern/crypto/platform";
import { checkOptions, type KeepAliveOptions } from "@postern/ssh";
import { Limits, quote, RfcLimits, SshError } from "@postern/wire";
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
  /** new keys after so many bytes or packets in one direction, or milliseconds; default 1 GiB, 2^31, one hour */
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
  /** sent to the host word for word; `""` and `0.0.0.0` and `::` mean all addresses; default `localhost` (RFC 4254 section 7.1) */
  readonly address?: string;
  /** 0 lets the host choose */
  readonly port: number;
  /** local forwarding: where bytes flow to; without it the forwarding is event based */
  readonly target?: Target;
  /** Whether to take a visitor; default all. An error, or anything but `true`, refuses. */
  readonly onOpen?: (request: ChannelOpenRequest) => MaybePromise<boolean>;
  /** a port that is taken is asked for again until it is free, such as when a session that died with its program still holds it; default false */
  readonly wait?: boolean;
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
  readonly rekey: NonNullable<TunnelOptions["rekey"]>;
  readonly keepAlive: KeepAliveOptions;
  readonly reconnect: ReconnectOptions;
  readonly beforeReconnect: TunnelOptions["beforeReconnect"];
  readonly exitOnForwardFailure: boolean;
  readonly selfCheckMs: number;
  readonly logonTimeoutMs: number;
  readonly targetTimeoutMs: number;
}

/** What `requestForwarding` takes, with the defaults filled in. */
export type CheckedForwarding = ForwardingOptions & { readonly address: string };

const tunnelOptions = [
  "host",
  "port",
  "hosts",
  "preferFirst",
  "user",
  "auth",
  "hostKey",
  "algorithms",
  "rekey",
  "keepAlive",
  "reconnect",
  "beforeReconnect",
  "exitOnForwardFailure",
  "selfCheck",
  "logonTimeoutMs",
  "targetTimeoutMs",
] as const satisfies readonly (keyof TunnelOptions)[];

const forwardingOptions = [
  "address",
  "port",
  "target",
  "onOpen",
  "wait",
] as const satisfies readonly (keyof ForwardingOptions)[];

/** @throws SshError `misuse` that names the option, what was expected and what came */
export function checkTunnelOptions(given: TunnelOptions, defaults: Algorithms): CheckedOptions {
  checkOptions("ReverseTunnel", given, tunnelOptions);
  const { user, auth, hostKey, algorithms = {}, rekey = {}, selfCheck = { intervalMs: 0 } } = given;
  checkOptions("algorithms", algorithms, ["kex", "hostKeys", "ciphers", "macs"]);
  checkOptions("rekey", rekey, ["bytes", "packets", "ms"]);
  checkOptions("selfCheck", selfCheck, ["intervalMs"]);
  const {
    preferFirst = false,
    exitOnForwardFailure = false,
    logonTimeoutMs = Limits.logonTimeoutMs,
    targetTimeoutMs = Limits.targetTimeoutMs,
  } = given;
  expectBoolean("preferFirst", preferFirst);
  expectBoolean("exitOnForwardFailure", exitOnForwardFailure);
  expectNumber("logonTimeoutMs", logonTimeoutMs, 1);
  expectNumber("targetTimeoutMs", targetTimeoutMs, 1);
  expectNumber("selfCheck.intervalMs", selfCheck.intervalMs, 0);
  if (given.beforeReconnect !== undefined) expectFunction("beforeReconnect", given.beforeReconnect);
  const checked = {
    endpoints: checkEndpoints(given),
    preferFirst,
    exitOnForwardFailure,
    user,
    auth,
    hostKey,
    algorithms: { ...defaults, ...algorithms },
    rekey,
    keepAlive: checkKeepAlive(given.keepAlive),
    reconnect: checkReconnect(given.reconnect),
    beforeReconnect: given.beforeReconnect,
    selfCheckMs: selfCheck.intervalMs,
    logonTimeoutMs,
    targetTimeoutMs,
  };
  checkIdentity(checked);
  return checked;
}

/** The options after `beforeReconnect` has changed some. @throws SshError `misuse` */
export function changeOptions(options: CheckedOptions, changes: ReconnectChanges): CheckedOptions {
  checkOptions("beforeReconnect", changes, ["host", "port", "user", "auth", "hostKey"]);
  const { user = options.user, auth = options.auth, hostKey = options.hostKey } = changes;
  const changed = { ...options, user, auth, hostKey };
  checkIdentity(changed);
  if (changes.host === undefined && changes.port === undefined) return changed;
  // With several hosts there is no one host to keep, nor a port.
  const [only] = options.endpoints.length === 1 ? options.endpoints : [];
  const { host = only?.host, port = only?.port ?? 22 } = changes;
  if (host === undefined)
    throw new SshError("misuse", "expected beforeReconnect to name the host of the port, got none");
  return { ...changed, endpoints: checkEndpoints({ host, port }) };
}

function checkIdentity({ user, auth, hostKey }: Pick<CheckedOptions, "user" | "auth" | "hostKey">): void {
  expectText("user", user);
  if (!Array.isArray(auth) || auth.length === 0)
    throw new SshError("misuse", "expected auth to hold at least one method");
  if (!auth.every((method: AuthMethod | undefined) => typeof method?.begin === "function")) {
    throw new SshError("misuse", "expected auth to hold methods, such as password('…'); got something else");
  }
  if (typeof hostKey !== "function") {
    throw new SshError("misuse", "expected hostKey to say whom to trust, such as fingerprint('SHA256:…'); got none");
  }
}

function checkEndpoints({
  host,
  port = 22,
  hosts,
}: Pick<TunnelOptions, "host" | "port" | "hosts">): readonly Endpoint[] {
  if (hosts === undefined) {
    expectText("host", host);
    expectPort("port", port, 1);
    return [{ host: String(host), port }];
  }
  if (host !== undefined) throw new SshError("misuse", "expected either host or hosts, got both");
  if (!Array.isArray(hosts) || hosts.length === 0)
    throw new SshError("misuse", "expected hosts to hold at least one host");
  return hosts.map((one: string | { readonly host: string; readonly port?: number }) => {
    const endpoint = typeof one === "string" ? { host: one, port } : { ...one, port: one.port ?? port };
    checkOptions("hosts", endpoint, ["host", "port"]);
    expectText("hosts", endpoint.host);
    expectPort("port", endpoint.port, 1);
    return endpoint;
  });
}

function checkKeepAlive(given: Partial<KeepAliveOptions> = {}): KeepAliveOptions {
  checkOptions("keepAlive", given, ["intervalMs", "countMax"]);
  const { intervalMs = Limits.keepAliveMs, countMax = Limits.keepAliveCount } = given;
  expectNumber("keepAlive.intervalMs", intervalMs, 0);
  expectNumber("keepAlive.countMax", countMax, 1);
  return { intervalMs, countMax };
}

function checkReconnect(given: TunnelOptions["reconnect"] = {}): ReconnectOptions {
  checkOptions("reconnect", given, ["mode", "intervalMs", "maxRetries", "backoff", "final"]);
  const {
    mode = "established",
    intervalMs = Limits.reconnectMs,
    maxRetries = Number.POSITIVE_INFINITY,
    backoff = {},
    final,
  } = given;
  checkOptions("reconnect.backoff", backoff, ["factor", "maxIntervalMs", "jitter"]);
  const { factor = 1, maxIntervalMs = Limits.longestReconnectMs, jitter = 0.1 } = backoff;
  if (!["never", "established", "always"].includes(mode)) {
    throw new SshError(
      "misuse",
      `expected reconnect.mode to be 'never', 'established' or 'always', got ${quote(String(mode))}`,
    );
  }
  expectNumber("reconnect.intervalMs", intervalMs, 0);
  expectNumber("reconnect.maxRetries", maxRetries, 0);
  expectNumber("reconnect.backoff.factor", factor, 1);
  expectNumber("reconnect.backoff.maxIntervalMs", maxIntervalMs, 0);
  expectNumber("reconnect.backoff.jitter", jitter, 0);
  if (final !== undefined) expectFunction("reconnect.final", final);
  return { mode, intervalMs, maxRetries, backoff: { factor, maxIntervalMs, jitter }, final };
}

/** @throws SshError `misuse` that names the option, what was expected and what came */
export function checkForwardingOptions(given: ForwardingOptions): CheckedForwarding {
  checkOptions("requestForwarding", given, forwardingOptions);
  const { address = "localhost", port, target, onOpen } = given;
  if (typeof address !== "string")
    throw new SshError("misuse", `expected address to be a string, got ${typeof address}`);
  expectPort("port", port, 0);
  if (target !== undefined) {
    checkOptions("target", target, ["host", "port"]);
    expectText("target.host", target.host);
    expectPort("target.port", target.port, 1);
  }
  if (onOpen !== undefined) expectFunction("onOpen", onOpen);
  return { ...given, address };
}

/** The deadline. @throws SshError `misuse` */
export function checkDrainOptions(given: DrainOptions): number {
  checkOptions("drain", given, ["deadlineMs", "signal"]);
  const { deadlineMs = Limits.drainMs } = given;
  expectNumber("deadlineMs", deadlineMs, 0);
  return deadlineMs;
}

function expectText(name: string, value: unknown): void {
  if (typeof value === "string" && value !== "") return;
  throw new SshError("misuse", `expected ${name} to be a non-empty string, got ${value === "" ? '""' : typeof value}`);
}

function expectPort(name: string, value: unknown, lowest: 0 | 1): void {
  if (typeof value === "number" && Number.isInteger(value) && value >= lowest && value <= RfcLimits.maxPort) return;
  throw new SshError("misuse", `expected ${name} to be from ${lowest} to ${RfcLimits.maxPort}, got ${String(value)}`);
}

function expectNumber(name: string, value: unknown, lowest: number): void {
  if (typeof value === "number" && value >= lowest) return;
  throw new SshError("misuse", `expected ${name} to be a number from ${lowest} on, got ${String(value)}`);
}

function expectBoolean(name: string, value: unknown): void {
  if (typeof value !== "boolean") throw new SshError("misuse", `expected ${name} to be a boolean, got ${typeof value}`);
}

function expectFunction(name: string, value: unknown): void {
  if (typeof value !== "function")
    throw new SshError("misuse", `expected ${name} to be a function, got ${typeof value}`);
}
