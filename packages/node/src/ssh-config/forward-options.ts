/** Forwardings and environment variables, as data. @module */
import { matchPattern } from "@postern/keys";
import type { SshConfigForwardLine, SshConfigListen, SshConfigTarget } from "./forwards.ts";
import type { ResolvedSshConfig } from "./resolve.ts";
import type { SshConfigEnvironment } from "./system.ts";

/** A forwarding of the configuration. */
export interface SshConfigForward {
  /** RemoteForward listens on the server, LocalForward and DynamicForward on this machine. */
  readonly type: "remote" | "local";
  /** `address` as `forward()` takes it: `localhost` is loopback, `""` is all addresses. */
  readonly listen: { readonly address: string; readonly port: number } | { readonly path: string };
  /** `socks`: each client of the port names its own target. */
  readonly target: SshConfigTarget;
}

/** Returns the forwardings in the order of the configuration: remote ones, local ones, dynamic ones. */
export function forwardsOf(config: ResolvedSshConfig): readonly SshConfigForward[] {
  const { remoteForward, localForward, dynamicForward, gatewayPorts } = config;
  const here = gatewayPorts ? "" : "localhost";
  return [
    // GatewayPorts of the client does not apply to ports of the server.
    ...remoteForward.map((line) => forwardOf("remote", line, "localhost")),
    ...[...localForward, ...dynamicForward].map((line) => forwardOf("local", line, here)),
  ];
}

function forwardOf(type: SshConfigForward["type"], line: SshConfigForwardLine, address: string): SshConfigForward {
  return { type, listen: listenOf(line.listen, address), target: line.target };
}

function listenOf(listen: SshConfigListen, address: string): SshConfigForward["listen"] {
  if ("path" in listen) return listen;
  const { host = address, port } = listen;
  return { address: host === "*" ? "" : host, port };
}

/** Returns what SendEnv takes from the environment, and what SetEnv sets. */
export function environmentOf(
  { sendEnv = [], setEnv = {} }: ResolvedSshConfig,
  env: SshConfigEnvironment,
): Record<string, string> {
  const sent = Object.entries(env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && sendEnv.some((pattern) => matchPattern(entry[0], pattern)),
  );
  return { ...Object.fromEntries(sent), ...setEnv };
}
