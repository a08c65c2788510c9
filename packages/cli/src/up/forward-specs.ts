/** The forwardings of a tunnel: from the configuration to the calls of a ReverseTunnel. @module */
import { matchPattern } from "@postern/keys";
import type { Forwarding, LocalForwarding, NodeForwardOptions, ReverseTunnel, SshConfigForward } from "@postern/node";
import { hostPort } from "@postern/ssh";
import type {
  ForwardConfig,
  LocalForwardConfig,
  LocalListenConfig,
  TargetConfig,
  TunnelConfig,
} from "./config/types.ts";

/** A forwarding that a tunnel has to have. */
export interface ForwardSpec {
  readonly type: "remote" | "local" | "dynamic";
  /** two specs with the same key are the same forwarding */
  readonly key: string;
  /** where it listens and where its connections go, for people */
  readonly listen: string;
  readonly target: string;
  readonly url: string | undefined;
  /** whether a port that is taken is requested again */
  readonly wait: boolean;
  readonly open: (tunnel: ReverseTunnel, signal: AbortSignal) => Promise<Forwarding | LocalForwarding>;
}

/** Returns the forwardings of a configuration, and those of an alias. */
export function forwardSpecs(
  { forwards = [], local = [], dynamic = [] }: TunnelConfig,
  ofAlias: readonly SshConfigForward[] = [],
): readonly ForwardSpec[] {
  return [
    ...forwards.map(remoteSpec),
    ...local.map(localSpec),
    ...dynamic.map((one) => localSpec({ ...one, target: "socks" })),
    ...ofAlias.map(({ type, listen, target }) =>
      // An alias has no `allow` for SOCKS on the server: as ssh -R does, its visitors may reach every target.
      type === "remote"
        ? remoteSpec({ ...listen, target, ...(target === "socks" && { allow: ["*:*"] }) })
        : localSpec({ ...listen, target }),
    ),
  ];
}

function remoteSpec(config: ForwardConfig): ForwardSpec {
  const { target, allow = [], wait = true, url, ...more } = config;
  const options = {
    ...more,
    target: typeof target === "object" && "tls" in target ? { ...target, tls: target.tls || undefined } : target,
    ...(target === "socks" && { allow: (one: { host: string; port: number }) => isAllowed(allow, one) }),
  } as NodeForwardOptions;
  return {
    type: "remote",
    key: JSON.stringify(["remote", config]),
    listen: listenText(config, "localhost"),
    target: targetText(target),
    url,
    wait,
    open: (tunnel, signal) => tunnel.forward({ ...options, signal }),
  };
}

function localSpec(
  config: LocalListenConfig & { readonly target: LocalForwardConfig["target"] | "socks" },
): ForwardSpec {
  const { target, ...listen } = config;
  return {
    type: target === "socks" ? "dynamic" : "local",
    key: JSON.stringify(["local", config]),
    listen: listenText(config, "localhost"),
    target: targetText(target),
    url: undefined,
    wait: true,
    open: (tunnel, signal) =>
      target === "socks" ? tunnel.socks({ ...listen, signal }) : tunnel.forwardLocal({ ...listen, target, signal }),
  };
}

/** Whether an address matches a pattern of `allow`. The name is as the visitor wrote it. */
export function isAllowed(patterns: readonly string[], { host, port }: { host: string; port: number }): boolean {
  return patterns.some((pattern) => {
    const colon = pattern.lastIndexOf(":");
    const name = pattern.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
    const wanted = pattern.slice(colon + 1);
    return (wanted === "*" || Number(wanted) === port) && matchPattern(host.toLowerCase(), name.toLowerCase());
  });
}

/** Returns an address or a path, for people. */
export function listenText(
  { address, port, path }: { readonly address?: string; readonly port?: number | undefined; readonly path?: string },
  byDefault: string,
): string {
  if (path !== undefined) return path;
  const host = address ?? byDefault;
  return port === undefined ? host : hostPort({ host: host === "" ? "*" : host, port });
}

function targetText(target: "socks" | TargetConfig): string {
  if (target === "socks") return "socks";
  return "path" in target ? target.path : hostPort(target);
}
