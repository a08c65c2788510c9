/** What a ReverseTunnel is told, and the checking of it. @module */
import type { AuthMethod, MaybePromise } from "@postern/auth";
import type { Algorithms } from "@postern/crypto";
import { checkOptions } from "@postern/ssh";
import { Limits, RfcLimits, SshError } from "@postern/wire";
import type { HostKeyCheck } from "./host-key.ts";
import type { Target } from "./platform.ts";

/** Options of a ReverseTunnel. */
export interface TunnelOptions {
  /** the SSH host: a name or an address */
  readonly host: string;
  /** default 22 */
  readonly port?: number;
  readonly user: string;
  /** tried in order; see `password`, `privateKey` */
  readonly auth: readonly AuthMethod[];
  /** whom to trust: nothing is trusted by default; see `fingerprint` */
  readonly hostKey: HostKeyCheck;
  /** lists of algorithm values, best first; default the platform's `modern` */
  readonly algorithms?: Partial<Algorithms>;
  /** new keys after so many bytes or packets in one direction, or milliseconds; default 1 GiB, 2^31, one hour */
  readonly rekey?: { readonly bytes?: number; readonly packets?: number; readonly ms?: number };
  /** milliseconds from dialling to logged on, the decision about the host key included; default 60 s */
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
}

/** Options with the defaults filled in. */
export type CheckedOptions = Required<Omit<TunnelOptions, "algorithms">> & { readonly algorithms: Algorithms };

const tunnelOptions = [
  "host",
  "port",
  "user",
  "auth",
  "hostKey",
  "algorithms",
  "rekey",
  "logonTimeoutMs",
  "targetTimeoutMs",
] as const satisfies readonly (keyof TunnelOptions)[];

const forwardingOptions = ["address", "port", "target", "onOpen"] as const satisfies readonly (keyof ForwardingOptions)[];

/** @throws SshError `misuse` that names the option, what was expected and what came */
export function checkTunnelOptions(given: TunnelOptions, defaults: Algorithms): CheckedOptions {
  checkOptions("ReverseTunnel", given, tunnelOptions);
  const { host, port = 22, user, auth, hostKey, algorithms = {}, rekey = {} } = given;
  checkOptions("algorithms", algorithms, ["kex", "hostKeys", "ciphers", "macs"]);
  checkOptions("rekey", rekey, ["bytes", "packets", "ms"]);
  expectText("host", host);
  expectPort("port", port, 1);
  expectText("user", user);
  if (!Array.isArray(auth) || auth.length === 0) throw new SshError("misuse", "expected auth to hold at least one method");
  if (typeof hostKey !== "function") {
    throw new SshError("misuse", "expected hostKey to say whom to trust, such as fingerprint('SHA256:…'); got none");
  }
  const { logonTimeoutMs = Limits.logonTimeoutMs, targetTimeoutMs = Limits.targetTimeoutMs } = given;
  expectPositive("logonTimeoutMs", logonTimeoutMs);
  expectPositive("targetTimeoutMs", targetTimeoutMs);
  return { host, port, user, auth, hostKey, algorithms: { ...defaults, ...algorithms }, rekey, logonTimeoutMs, targetTimeoutMs };
}

/** @throws SshError `misuse` that names the option, what was expected and what came */
export function checkForwardingOptions(given: ForwardingOptions): ForwardingOptions & { readonly address: string } {
  checkOptions("requestForwarding", given, forwardingOptions);
  const { address = "localhost", port, target, onOpen } = given;
  if (typeof address !== "string") throw new SshError("misuse", `expected address to be a string, got ${typeof address}`);
  expectPort("port", port, 0);
  if (target !== undefined) {
    checkOptions("target", target, ["host", "port"]);
    expectText("target.host", target.host);
    expectPort("target.port", target.port, 1);
  }
  if (onOpen !== undefined && typeof onOpen !== "function") {
    throw new SshError("misuse", `expected onOpen to be a function, got ${typeof onOpen}`);
  }
  return { ...given, address };
}

function expectText(name: string, value: unknown): void {
  if (typeof value === "string" && value !== "") return;
  throw new SshError("misuse", `expected ${name} to be a non-empty string, got ${value === "" ? '""' : typeof value}`);
}

function expectPort(name: string, value: unknown, lowest: 0 | 1): void {
  if (typeof value === "number" && Number.isInteger(value) && value >= lowest && value <= RfcLimits.maxPort) return;
  throw new SshError("misuse", `expected ${name} to be from ${lowest} to ${RfcLimits.maxPort}, got ${String(value)}`);
}

function expectPositive(name: string, value: unknown): void {
  if (typeof value === "number" && value > 0) return;
  throw new SshError("misuse", `expected ${name} to be a positive number of milliseconds, got ${String(value)}`);
}
