/** Checks the options of the calls of a ReverseTunnel. @module */
import { type Address, type CallOptions, checkOptions } from "@postern/ssh";
import {
  describeType,
  expectInteger,
  expectNumber,
  expectPort,
  expectSignal,
  expectText,
  expectType,
  SshError,
} from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import type { HostedSession } from "./hosted-session.ts";
import type { CheckedForwarding, CloseOptions, ForwardOptions, ListenOptions, RequestOptions } from "./options.ts";
import type { Platform } from "./platform.ts";
import type { Target, TcpTarget } from "./target.ts";
import type { VisitorRequirements } from "./visitor-limits.ts";

type RequestDefaults = HostedSession["request"] | undefined;

const requestOptions = [
  "address",
  "port",
  "path",
  "onOpen",
  "onOpenTimeoutMs",
  "wait",
  "keepPort",
  "limits",
  "signal",
] as const;

/** @throws SshError `misuse` with the name of the option, the expected value and the actual one */
export function checkForwardOptions(
  given: ForwardOptions,
  ignored: readonly unknown[],
  platform: Platform,
  defaults?: RequestDefaults,
): CheckedForwarding {
  refuseIgnored("forward", ignored);
  const own = given?.target === "socks" ? (["allow"] as const) : (["proxyProtocol", "targetRetryMs"] as const);
  const request = checkRequest("forward", given, ["target", ...own], defaults);
  const { target, targetRetryMs = 0 } = request;
  if (target === undefined)
    throw new SshError(
      "misuse",
      "expected a target such as { host: '127.0.0.1', port: 80 }, got none: listen() needs none",
    );
  if (platform.dialTarget === false) {
    const hint = "use listen() and iterate over its channels, or set dialTarget";
    throw new SshError("misuse", `expected a runtime that connects to targets, got one without sockets: ${hint}`);
  }
  if (!isSpecial(target)) checkTcpTarget(target, platform);
  else if (platform.specialTargets === undefined)
    throw new SshError("misuse", "expected a target with a host and a port, got another: use @postern/node");
  else platform.specialTargets.check(target, given);
  expectNumber("targetRetryMs", targetRetryMs, 0);
  checkFeatures(given, platform);
  return withDefaults(request, target, Limits.backlog);
}

/** Whether it is `socks`, or has a path. */
export function isSpecial(target: Target | "socks"): target is Exclude<Target, TcpTarget> | "socks" {
  return target === "socks" || "path" in Object(target);
}

function checkTcpTarget(target: TcpTarget, { dialsTls }: Platform): void {
  checkTarget(target, "tls");
  const { tls } = target;
  if (tls !== undefined && dialsTls !== true)
    throw new SshError("misuse", "expected a target without tls on this platform, got one with it");
  if (tls !== undefined && tls !== true) expectType("target.tls", tls, "object");
}

/** @throws SshError `misuse` */
export function checkTarget(target: Address, ...others: readonly string[]): void {
  checkOptions("target", target, ["host", "port", ...others]);
  expectText("target.host", target.host);
  expectPort("target.port", target.port, 1);
}

/** @throws SshError `misuse` with the name of the option, the expected value and the actual one */
export function checkListenOptions(
  given: ListenOptions,
  ignored: readonly unknown[],
  platform: Platform,
  defaults?: RequestDefaults,
): CheckedForwarding {
  refuseIgnored("listen", ignored);
  const request = checkRequest("listen", given, ["backlog"], defaults);
  const { backlog = Limits.backlog } = request;
  checkFeatures(given, platform);
  expectInteger("backlog", backlog, 1);
  return withDefaults(request, undefined, backlog);
}

function checkRequest<Options extends RequestOptions>(
  what: string,
  options: Options,
  own: readonly (keyof Options & string)[],
  defaults: RequestDefaults,
): Options {
  checkOptions(what, options, [...requestOptions, ...own]);
  // A path needs no address and no port.
  const given = options.path === undefined ? { ...defaults, ...options } : options;
  if (given.address !== undefined) expectType("address", given.address, "string");
  if (given.path === undefined) expectPort("port", given.port, 0);
  else {
    expectText("path", given.path);
    if ((given.port ?? given.address) !== undefined)
      throw new SshError("misuse", "expected a path without address and port, got both");
  }
  if (given.onOpen !== undefined) expectType("onOpen", given.onOpen, "function");
  if (given.onOpenTimeoutMs !== undefined) expectNumber("onOpenTimeoutMs", given.onOpenTimeoutMs, 1);
  for (const name of ["wait", "keepPort"] as const)
    if (given[name] !== undefined) expectType(name, given[name], "boolean");
  expectSignal(given.signal);
  return given;
}

function checkFeatures(given: VisitorRequirements, { visitorFeatures }: Platform): void {
  if (visitorFeatures !== undefined) return visitorFeatures.check(given);
  if (given.limits === undefined && given.proxyProtocol === undefined) return;
  throw new SshError(
    "misuse",
    "expected a platform with visitorFeatures for limits and proxyProtocol, got one without",
  );
}

function withDefaults(given: RequestOptions, target: CheckedForwarding["target"], backlog: number): CheckedForwarding {
  const { path, address = path ?? "localhost", onOpenTimeoutMs = Limits.onOpenTimeoutMs } = given;
  return { ...given, address, target, backlog, onOpenTimeoutMs };
}

/** @throws SshError `misuse` */
export function checkCallOptions(what: string, given: CallOptions, ignored: readonly unknown[] = []): void {
  refuseIgnored(what, ignored);
  checkOptions(what, given, ["signal"]);
  expectSignal(given.signal);
}

/** Returns `drainMs`. @throws SshError `misuse` */
export function checkCloseOptions(given: CloseOptions, ignored: readonly unknown[]): number {
  refuseIgnored("close", ignored);
  checkOptions("close", given, ["drainMs", "signal"]);
  expectSignal(given.signal);
  const { drainMs = 0 } = given;
  expectNumber("drainMs", drainMs);
  return drainMs;
}

/** A second argument, such as a signal, would have no effect. @throws SshError `misuse` */
export function refuseIgnored(what: string, ignored: readonly unknown[]): void {
  if (ignored.length === 0) return;
  const got = describeType(ignored[0]);
  throw new SshError(
    "misuse",
    `expected ${what}() to be called with one object such as { signal }, got a second argument: ${got}`,
  );
}
