/** LocalForward, RemoteForward and DynamicForward as ssh_config(5) writes them. @module */
import { quote } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { type ConfigLine, configError } from "./config-line.ts";
import { only, parsePort } from "./values.ts";

/** A TCP address to listen on, or the path of a UNIX socket. Without `host`: the default of the direction. */
export type SshConfigListen = { readonly host?: string; readonly port: number } | { readonly path: string };

/** The destination of a forwarding, or `socks`: the client of the port chooses it. */
export type SshConfigTarget = { readonly host: string; readonly port: number } | { readonly path: string } | "socks";

/** A forwarding as the file states it. */
export interface SshConfigForwardLine {
  readonly listen: SshConfigListen;
  readonly target: SshConfigTarget;
}

/** `[bind_address:]port host:hostport`, or paths of UNIX sockets in place of either. */
export function localForward(line: ConfigLine): readonly SshConfigForwardLine[] {
  const [listen, target] = line.args;
  if (listen === undefined || target === undefined)
    throw configError(line, "expected LocalForward to have a target such as localhost:80, got none");
  return only(line, 2, [{ listen: parseListen(line, listen, 1), target: parseTarget(line, target) }]);
}

/** As {@link localForward}; without a target, the server's port speaks SOCKS. */
export function remoteForward(line: ConfigLine): readonly SshConfigForwardLine[] {
  const [listen = "", target] = line.args;
  const parsed = target === undefined ? "socks" : parseTarget(line, target);
  return only(line, 2, [{ listen: parseListen(line, listen, 0), target: parsed }]);
}

/** `[bind_address:]port`: a SOCKS proxy on this machine. */
export function dynamicForward(line: ConfigLine): readonly SshConfigForwardLine[] {
  const [listen = ""] = line.args;
  return only(line, 1, [{ listen: parseListen(line, listen, 1), target: "socks" }]);
}

function parseListen(line: ConfigLine, text: string, leastPort: 0 | 1): SshConfigListen {
  if (text.includes("/")) return { path: text };
  const { host, port } = splitHostPort(text);
  if (port === undefined || port < leastPort || text.length > 1024)
    throw configError(
      line,
      `expected ${line.keyword} to listen on [address:]port, port ${leastPort} to ${Limits.maxPort}, or on a path, got ${quote(text, 80)}`,
    );
  return host === undefined ? { port } : { host, port };
}

function parseTarget(line: ConfigLine, text: string): SshConfigTarget {
  if (text.includes("/")) return { path: text };
  const { host, port } = splitHostPort(text);
  if (host === undefined || host === "" || port === undefined || port === 0 || text.length > 1024)
    throw configError(line, `expected the target of ${line.keyword} to be host:port or a path, got ${quote(text, 80)}`);
  return { host, port };
}

/** `host:port`, `[host]:port`, `port`. An IPv6 address needs brackets. */
export function splitHostPort(text: string): { readonly host?: string; readonly port: number | undefined } {
  if (text.startsWith("[")) {
    const end = text.indexOf("]");
    const isClosed = end > 0 && text[end + 1] === ":";
    return { host: text.slice(1, end), port: isClosed ? parsePort(text.slice(end + 2)) : undefined };
  }
  const colon = text.indexOf(":");
  if (colon < 0) return { port: parsePort(text) };
  return { host: text.slice(0, colon), port: parsePort(text.slice(colon + 1)) };
}
