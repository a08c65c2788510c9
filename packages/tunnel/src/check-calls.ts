/** Checks the options of the calls of a ReverseTunnel. @module */
import { type CallOptions, checkOptions } from "@postern/ssh";
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
import type { CheckedForwarding, CloseOptions, ForwardOptions, ListenOptions, RequestOptions } from "./options.ts";
import type { Platform, Target } from "./platform.ts";
import type { VisitorRequirements } from "./visitor-limits.ts";

const requestOptions = [
  "address",
  "port",
  "onOpen",
  "onOpenTimeoutMs",
  "wait",
  "keepPort",
  "limits",
  "signal",
] as const;

type Features = Pick<Platform, "dialsTls" | "visitorFeatures">;

/** @throws SshError `misuse` with the name of the option, the expected value and the actual one */
export function checkForwardOptions(
  given: ForwardOptions,
  platform: Features,
  ignored: readonly unknown[],
): CheckedForwarding {
  refuseIgnored("forward", ignored);
  const { target, targetRetryMs = 0 } = checkRequest("forward", given, ["target", "proxyProtocol", "targetRetryMs"]);
  if (target === undefined)
    throw new SshError(
      "misuse",
      "expected a target such as { host: '127.0.0.1', port: 80 }, got none: listen() needs none",
    );
  checkOptions("target", target, ["host", "port", "tls"]);
  expectText("target.host", target.host);
  expectPort("target.port", target.port, 1);
  if (target.tls !== undefined && platform.dialsTls !== true)
    throw new SshError("misuse", "expected a target without tls on this platform, got one with it");
  expectNumber("targetRetryMs", targetRetryMs, 0);
  checkFeatures(given, platform);
  return withDefaults(given, target, Limits.backlog);
}

/** @throws SshError `misuse` with the name of the option, the expected value and the actual one */
export function checkListenOptions(
  given: ListenOptions,
  platform: Features,
  ignored: readonly unknown[],
): CheckedForwarding {
  refuseIgnored("listen", ignored);
  const { backlog = Limits.backlog } = checkRequest("listen", given, ["backlog"]);
  checkFeatures(given, platform);
  expectInteger("backlog", backlog, 1);
  return withDefaults(given, undefined, backlog);
}

function checkRequest<Options extends RequestOptions>(
  what: string,
  given: Options,
  own: readonly (keyof Options & string)[],
): Options {
  checkOptions(what, given, [...requestOptions, ...own]);
  if (given.address !== undefined) expectType("address", given.address, "string");
  expectPort("port", given.port, 0);
  if (given.onOpen !== undefined) expectType("onOpen", given.onOpen, "function");
  if (given.onOpenTimeoutMs !== undefined) expectNumber("onOpenTimeoutMs", given.onOpenTimeoutMs, 1);
  for (const name of ["wait", "keepPort"] as const)
    if (given[name] !== undefined) expectType(name, given[name], "boolean");
  expectSignal(given.signal);
  return given;
}

function checkFeatures(given: VisitorRequirements, { visitorFeatures }: Features): void {
  if (visitorFeatures !== undefined) return visitorFeatures.check(given);
  if (given.limits === undefined && given.proxyProtocol === undefined) return;
  throw new SshError(
    "misuse",
    "expected a platform with visitorFeatures for limits and proxyProtocol, got one without",
  );
}

function withDefaults(given: RequestOptions, target: Target | undefined, backlog: number): CheckedForwarding {
  const { address = "localhost", onOpenTimeoutMs = Limits.onOpenTimeoutMs } = given;
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
function refuseIgnored(what: string, ignored: readonly unknown[]): void {
  if (ignored.length === 0) return;
  const got = describeType(ignored[0]);
  throw new SshError(
    "misuse",
    `expected ${what}() to be called with one object such as { signal }, got a second argument: ${got}`,
  );
}
