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
import type { CheckedForwarding, CloseOptions, ForwardOptions, ListenOptions, RequestOptions } from "./options.ts";
import type { Platform, Target } from "./platform.ts";

const requestOptions = ["address", "port", "path", "onOpen", "onOpenTimeoutMs", "wait", "keepPort", "signal"] as const;

/** @throws SshError `misuse` with the name of the option, the expected value and the actual one */
export function checkForwardOptions(
  given: ForwardOptions,
  ignored: readonly unknown[],
  { dialTarget, dialsPaths, socks }: Platform,
): CheckedForwarding {
  refuseIgnored("forward", ignored);
  const { target, allow } = checkRequest("forward", given, "target", "allow");
  if (target === undefined)
    throw new SshError(
      "misuse",
      "expected a target such as { host: '127.0.0.1', port: 80 }, got none: listen() needs none",
    );
  const can = (supported: unknown, what: string, instead: string): void => {
    if (supported) return;
    throw new SshError("misuse", `expected a runtime that ${what}, got one that cannot: ${instead}`);
  };
  can(dialTarget !== false, "connects to targets", "use listen() and iterate over its channels, or set dialTarget");
  if (target === "socks") {
    can(socks, "serves SOCKS", "use @postern/node");
    expectType("allow", allow, "function");
    return withDefaults(given, target, Limits.backlog);
  }
  if (allow !== undefined) throw new SshError("misuse", 'expected allow only with target "socks"');
  checkTarget(target);
  if ("path" in target) can(dialsPaths, "connects to UNIX sockets", "use @postern/node, or a host and a port");
  return withDefaults(given, target, Limits.backlog);
}

/** @throws SshError `misuse` unless it is a host and a port, or a path */
export function checkTarget(target: Target): void {
  if (typeof target === "object" && target !== null && "path" in target) {
    checkOptions("target", target, ["path"]);
    return expectText("target.path", target.path);
  }
  checkOptions("target", target, ["host", "port"]);
  expectText("target.host", target.host);
  expectPort("target.port", target.port, 1);
}

/** @throws SshError `misuse` with the name of the option, the expected value and the actual one */
export function checkListenOptions(given: ListenOptions, ignored: readonly unknown[]): CheckedForwarding {
  refuseIgnored("listen", ignored);
  const { backlog = Limits.backlog } = checkRequest("listen", given, "backlog");
  expectInteger("backlog", backlog, 1);
  return withDefaults(given, undefined, backlog);
}

function checkRequest<Options extends RequestOptions>(
  what: string,
  given: Options,
  ...own: readonly (keyof Options & string)[]
): Options {
  checkOptions(what, given, [...requestOptions, ...own]);
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
