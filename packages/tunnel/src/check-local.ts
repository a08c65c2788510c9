/** Checks the options of `forwardLocal` and `socks`. Only platforms that set `local` contain it. @module */
import { checkOptions } from "@postern/ssh";
import { expectInteger, expectPort, expectSignal, expectText, expectType, SshError } from "@postern/wire";
import { checkTarget, isSpecial } from "./check-calls.ts";
import type { ForwardLocalOptions, LocalListenOptions, LocalSocksOptions } from "./local-options.ts";
import { checkPathTarget } from "./special-targets.ts";
import type { Target } from "./target.ts";

const mostConnections = 1024;

/** The call that is checked. */
export type LocalCall = "forwardLocal" | "socks";

/** Checked options of a local forwarding. */
export interface CheckedLocal {
  readonly address: string;
  readonly port: number;
  readonly path: string | undefined;
  readonly target: Target | "socks";
  readonly connections: number;
}

/** @throws SshError `misuse` with the name of the option, the expected value and the actual one */
export function checkLocal(what: LocalCall, given: ForwardLocalOptions | LocalSocksOptions): CheckedLocal {
  const own = what === "socks" ? [] : ["target"];
  checkOptions(what, given as LocalListenOptions & Record<string, unknown>, [...listenOptions, ...own]);
  const { address = "localhost", port, path, limits = {}, signal } = given;
  expectType("address", address, "string");
  expectSignal(signal);
  checkOptions("limits", limits, ["connections"]);
  const { connections = mostConnections } = limits;
  if (connections !== Number.POSITIVE_INFINITY) expectInteger("limits.connections", connections, 1);
  if (path === undefined) expectPort("port", port, 0);
  else {
    expectText("path", path);
    if ((port ?? given.address) !== undefined)
      throw new SshError("misuse", "expected a path without address and port, got both");
  }
  const target = what === "socks" ? "socks" : (given as ForwardLocalOptions).target;
  if (target === "socks") {
    if (what === "forwardLocal") throw new SshError("misuse", 'expected no target "socks": call socks()');
  } else if (isSpecial(target)) checkPathTarget(target);
  else checkTarget(target);
  return { address, port: port ?? 0, path, target, connections };
}

const listenOptions = ["address", "port", "path", "limits", "signal"] as const;
