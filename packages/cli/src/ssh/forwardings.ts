/** The forwardings of the command line and of the configuration: -L, -R and -D. @module */
import { unlinkSync } from "node:fs";
import { matchPattern } from "@postern/keys";
import type { ReverseTunnel, SshConfigForwardLine, SshConfigListen } from "@postern/node";
import type { MuxEnd, MuxForward, OpenedForward } from "../mux/forward.ts";
import type { SshLog } from "./log.ts";
import { ClientError } from "./messages.ts";
import { describeSystemError } from "./system-errors.ts";

/** Options of {@link createForwarder}. */
export interface ForwarderOptions {
  readonly tunnel: ReverseTunnel;
  readonly log: SshLog;
  /** GatewayPorts: local ports listen on all addresses */
  readonly gatewayPorts: boolean;
  /** StreamLocalBindUnlink: removes the file of a local socket first */
  readonly unlinksSockets: boolean;
  /** PermitRemoteOpen: `any`, `none`, or patterns of `host:port` */
  readonly permitRemoteOpen: readonly string[];
}

/** Opens forwardings. */
export interface Forwarder {
  /** Opens one. Writes what ssh writes. @throws ClientError if it cannot be opened */
  open(forward: MuxForward): Promise<OpenedForward>;
}

/** Returns the forwardings of a configuration, in the order in which ssh opens them. */
export function forwardsOfConfig(config: {
  readonly localForward: readonly SshConfigForwardLine[];
  readonly dynamicForward: readonly SshConfigForwardLine[];
  readonly remoteForward: readonly SshConfigForwardLine[];
}): readonly MuxForward[] {
  return [
    ...config.localForward.map((line) => forwardOf("local", line)),
    ...config.dynamicForward.map((line) => forwardOf("dynamic", line)),
    ...config.remoteForward.map((line) => forwardOf("remote", line)),
  ];
}

/** A line of the configuration as the client of a master would name it. */
export function forwardOf(type: MuxForward["type"], { listen, target }: SshConfigForwardLine): MuxForward {
  return { type, listen: endOf(listen), connect: target === "socks" ? undefined : target };
}

function endOf(listen: SshConfigListen): MuxEnd {
  return "path" in listen ? listen : { host: listen.host, port: listen.port };
}

/** Creates the function that opens forwardings on a tunnel. */
export function createForwarder(options: ForwarderOptions): Forwarder {
  const { tunnel, log, gatewayPorts, unlinksSockets } = options;
  return { open: (forward) => (forward.type === "remote" ? openRemote(forward) : openLocal(forward)) };

  async function openLocal({ listen, connect }: MuxForward): Promise<OpenedForward> {
    const at =
      "path" in listen
        ? listen
        : { address: addressOf(listen.host, gatewayPorts ? "" : "localhost"), port: listen.port };
    log.write("debug1", `Local connections to ${nameOf(listen)} forwarded to remote address ${nameOf(connect)}`);
    if ("path" in at && unlinksSockets) removeSocket(at.path);
    try {
      return connect === undefined
        ? await tunnel.socks(at)
        : await tunnel.forwardLocal({ ...at, target: targetOf(connect) });
    } catch (error) {
      const lines = "path" in at ? localPathFailure(at.path, error) : localPortFailure(at, error);
      throw new ClientError(lines.join("\n"), { cause: error });
    }
  }

  async function openRemote({ listen, connect }: MuxForward): Promise<OpenedForward> {
    const at = "path" in listen ? listen : { address: addressOf(listen.host, "localhost"), port: listen.port };
    log.write("debug1", `Remote connections from ${nameOf(listen)} forwarded to local address ${nameOf(connect)}`);
    const target = connect === undefined ? socksTarget(options) : { target: targetOf(connect) };
    const forwarding = await tunnel.forward({ ...at, ...target });
    const { port } = forwarding;
    const isChosen = "port" in at && at.port === 0;
    if (isChosen) log.write("info", `Allocated port ${port} for remote forward to ${targetName(connect)}`);
    // A port that the server frees later, or takes from us, is reported by the events of the tunnel.
    forwarding.closed.catch(() => {});
    return { close: () => forwarding.close(), ...(isChosen && { allocatedPort: port }) };
  }
}

/** As ssh: `*` and an empty address are all addresses. */
function addressOf(host: string | undefined, fallback: string): string {
  if (host === undefined) return fallback;
  return host === "*" ? "" : host;
}

function targetOf(end: MuxEnd): { readonly host: string; readonly port: number } | { readonly path: string } {
  return "path" in end ? end : { host: end.host ?? "localhost", port: end.port };
}

function nameOf(end: MuxEnd | undefined): string {
  if (end === undefined) return "socks:0";
  return "path" in end ? `${end.path}:-2` : `${end.host ?? "LOCALHOST"}:${end.port}`;
}

function targetName(end: MuxEnd | undefined): string {
  return end !== undefined && "path" in end ? `${end.path}:-2` : nameOf(end);
}

function removeSocket(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // If it is still there, listening fails.
  }
}

function localPortFailure(
  { address, port }: { readonly address: string; readonly port: number },
  error: unknown,
): string[] {
  const { cause } = error as Error;
  const { address: bound = address } = (cause ?? {}) as { readonly address?: string };
  return [
    `bind [${bound}]:${port}: ${describeSystemError(cause ?? error)}`,
    `channel_setup_fwd_listener_tcpip: cannot listen to port: ${port}`,
  ];
}

function localPathFailure(path: string, error: unknown): string[] {
  return [`unix_listener: cannot bind to path ${path}: ${describeSystemError((error as Error).cause ?? error)}`];
}

/** The target of a remote SOCKS proxy, which PermitRemoteOpen limits. */
function socksTarget({ permitRemoteOpen, log }: ForwarderOptions) {
  const allow = ({ host, port }: { readonly host: string; readonly port: number }): boolean => {
    const isPermitted = permitsOpen(permitRemoteOpen, host, port);
    if (!isPermitted)
      log.write("info", `Received request to connect to host ${host} port ${port}, but the request was denied.`);
    return isPermitted;
  };
  return { target: "socks", allow } as const;
}

/** Whether PermitRemoteOpen permits an address. A pattern's host may have wildcards, and `*` is any port. */
export function permitsOpen(patterns: readonly string[], host: string, port: number): boolean {
  if (patterns.length === 0) return true;
  return patterns.some((pattern) => {
    const lower = pattern.toLowerCase();
    if (lower === "any") return true;
    if (lower === "none") return false;
    const colon = pattern.lastIndexOf(":");
    const name = pattern.slice(0, colon).replace(/^\[|\]$/g, "");
    const wanted = pattern.slice(colon + 1);
    return (wanted === "*" || wanted === String(port)) && matchPattern(host.toLowerCase(), name.toLowerCase());
  });
}
