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
  Limits,
  SshError,
} from "@postern/wire";
import type { HostedSession } from "./hosted-session.ts";
import type { CheckedForwarding, CloseOptions, ForwardOptions, ListenOptions, RequestOptions } from "./options.ts";
import type { Target } from "./platform.ts";

type RequestDefaults = HostedSession["request"] | undefined;

const requestOptions = ["address", "port", "onOpen", "onOpenTimeoutMs", "wait", "keepPort", "signal"] as const;

/** @throws SshError `misuse` with the name of the option, the expected value and the actual one */
export function checkForwardOptions(
  given: ForwardOptions,
  ignored: readonly unknown[],
  defaults?: RequestDefaults,
): CheckedForwarding {
  refuseIgnored("forward", ignored);
  const request = checkRequest("forward", given, "target", defaults);
  const { target } = request;
  if (target === undefined)
    throw new SshError(
      "misuse",
      "expected a target such as { host: '127.0.0.1', port: 80 }, got none: listen() needs none",
    );
  checkOptions("target", target, ["host", "port"]);
  expectText("target.host", target.host);
  expectPort("target.port", target.port, 1);
  return withDefaults(request, target, Limits.backlog);
}

/** @throws SshError `misuse` with the name of the option, the expected value and the actual one */
export function checkListenOptions(
  given: ListenOptions,
  ignored: readonly unknown[],
  defaults?: RequestDefaults,
): CheckedForwarding {
  refuseIgnored("listen", ignored);
  const request = checkRequest("listen", given, "backlog", defaults);
  const { backlog = Limits.backlog } = request;
  expectInteger("backlog", backlog, 1);
  return withDefaults(request, undefined, backlog);
}

function checkRequest<Options extends RequestOptions>(
  what: string,
  options: Options,
  own: keyof Options & string,
  defaults: RequestDefaults,
): Options {
  checkOptions(what, options, [...requestOptions, own]);
  const given = { ...defaults, ...options };
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
  const { address = "localhost", port = 0, onOpenTimeoutMs = Limits.onOpenTimeoutMs } = given;
  return { ...given, address, port, target, backlog, onOpenTimeoutMs };
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
