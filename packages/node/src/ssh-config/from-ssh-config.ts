/** The options of a tunnel that logs in as ssh would. @module */
import type { AuthMethod, MaybePromise } from "@postern/auth";
import { checkOptions } from "@postern/ssh";
import type { TunnelOptions, UnknownHostKey } from "@postern/tunnel";
import { expectType } from "@postern/wire";
import { algorithmsOf, hostKeyNamesOf } from "./algorithm-options.ts";
import { configError } from "./config-line.ts";
import { dialOf, type SshConfigDial } from "./dial.ts";
import { environmentOf, forwardsOf, type SshConfigForward } from "./forward-options.ts";
import { isHostName, isUserName, mostHops, type SshDestination } from "./jump-hosts.ts";
import { createKeywordLookup, type SshConfigValues } from "./keywords.ts";
import { createKnownHostsCommand } from "./known-hosts-command.ts";
import { loginMethods, type SshConfigSecrets } from "./login-methods.ts";
import type { KnownHostsPlan, SshConfigParts } from "./parts.ts";
import type { SshConfigSetting } from "./reader.ts";
import {
  parseHost,
  type Resolution,
  type ResolvedSshConfig,
  type ResolveSshConfigOptions,
  resolutionOf,
  resolve,
  resolveOptionNames,
} from "./resolve.ts";
import { expand } from "./tokens.ts";

/** Options of {@link fromSshConfig}. */
export interface FromSshConfigOptions extends ResolveSshConfigOptions, SshConfigSecrets {
  /**
   * The result of `resolveSshConfig` for the same host and options. The files are read again for jump hosts only, and
   * Match exec does not run again.
   */
  readonly config?: ResolvedSshConfig;
  /** Decides about host keys that are not known, for `StrictHostKeyChecking ask`. Without it they are refused. */
  readonly ask?: (key: UnknownHostKey) => MaybePromise<boolean>;
  /** Called with what ProxyCommand and KnownHostsCommand write to their standard error, as it is. */
  readonly onCommandStderr?: (text: string) => void;
}

/** A jump host, for `via` of a tunnel. */
export interface SshConfigHop {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly auth: readonly AuthMethod[];
  readonly hostKey: TunnelOptions["hostKey"];
  /** the name of HostKeyAlias, in lower case */
  readonly hostKeyAlias?: string;
}

/** Options for `ReverseTunnel`. */
export interface SshConfigTunnelOptions extends TunnelOptions {
  readonly host: string;
  readonly port: number;
  /** the hosts of ProxyJump, each with the login that the configuration has for it */
  readonly via?: readonly SshConfigHop[];
  /** for ProxyCommand, AddressFamily, BindAddress, BindInterface and ConnectionAttempts */
  readonly dial?: SshConfigDial;
}

/** The result of {@link fromSshConfig}. */
export interface SshConfigResult {
  readonly options: SshConfigTunnelOptions;
  readonly forwards: readonly SshConfigForward[];
  /** the variables of SetEnv, and those of SendEnv that are set */
  readonly environment: Readonly<Record<string, string>>;
  /** the values of all keywords, with those that have no effect on a tunnel */
  readonly config: ResolvedSshConfig;
  /** the lines in force that have no effect on a tunnel */
  readonly unused: readonly SshConfigSetting[];
}

/** Creates `fromSshConfig` from the functions of a platform. */
export function createFromSshConfig(
  parts: SshConfigParts,
): (host: string, options?: FromSshConfigOptions) => Promise<SshConfigResult> {
  return async (host, options = {}) => {
    checkOptions("fromSshConfig", options, [...resolveOptionNames, ...secretNames, "config", "ask", "onCommandStderr"]);
    const { passphrase, password, keyboardInteractive, ask, onCommandStderr } = options;
    for (const [name, value] of Object.entries({ passphrase, keyboardInteractive, ask, onCommandStderr }))
      if (value !== undefined) expectType(name, value, "function");
    if (password !== undefined && typeof password !== "function") expectType("password", password, "string");
    const route = await findRoute(parseHost(host), options);
    const hops = await Promise.all(route.map((one, index) => hopOf(one, index < route.length - 1, options, parts)));
    const server = hops.pop() as SshConfigHop;
    const target = route.at(-1) as Resolution;
    const dial = dialOf(route[0] as Resolution, options.allowExec === true, parts, onCommandStderr);
    return {
      options: {
        ...server,
        algorithms: algorithmsOf(target),
        ...connectionOptions(target.config),
        ...(hops.length > 0 && { via: hops }),
        ...(dial && { dial }),
      },
      forwards: forwardsOf(target.config),
      environment: environmentOf(target.config, target.system.env),
      config: target.config,
      unused: unusedOf(route),
    };
  };
}

type RouteOptions = ResolveSshConfigOptions & Pick<FromSshConfigOptions, "config">;

const secretNames = ["passphrase", "password", "keyboardInteractive"] as const;

/**
 * The configurations of the jump hosts and the server, in order. As ssh does: the last jump host is reached through the
 * others that the line names, and the first one through those of its own configuration.
 */
async function findRoute(
  destination: SshDestination,
  options: RouteOptions,
  via?: readonly SshDestination[],
  depth = 0,
): Promise<readonly Resolution[]> {
  const { config: resolved } = options;
  const resolution =
    resolved === undefined ? await resolve(destination, options, via) : resolutionOf(resolved, destination);
  const { config, positionOf } = resolution;
  const jumps = config.proxyJump ?? [];
  const at = positionOf("proxyJump");
  const last = jumps.at(-1);
  if (last === undefined) return [resolution];
  const { h = "", n = "", p = "", r = "" } = config.tokens;
  const tokens = { h, n, p, r };
  const host = expand(last.host, at, tokens);
  if (depth >= mostHops || host.toLowerCase() === destination.host.toLowerCase())
    throw configError(at, `expected at most ${mostHops} jump hosts; does ProxyJump apply to the jump host itself?`);
  const user = last.user === undefined ? undefined : expand(last.user, at, tokens);
  if (!isHostName(host) || (user !== undefined && !isUserName(user)))
    throw configError(at, "expected the tokens of ProxyJump to become a host name and a user");
  const hop = { ...last, host, ...(user !== undefined && { user }) };
  // As ssh, which runs `ssh -F file -W` for a jump host, without what else its own command line says.
  const { user: _user, port: _port, settings: _settings, config: _config, ...inherited } = options;
  const before = jumps.slice(0, -1);
  return [...(await findRoute(hop, inherited, before.length > 0 ? before : undefined, depth + 1)), resolution];
}

async function hopOf(
  resolution: Resolution,
  isJumpHost: boolean,
  options: FromSshConfigOptions,
  parts: SshConfigParts,
): Promise<SshConfigHop> {
  const { hostName: host, port, user, hostKeyAlias } = resolution.config;
  const auth = await loginMethods(resolution, isJumpHost, options, parts);
  const hostKey = parts.knownHosts(knownHostsPlan(resolution, options));
  return { host, port, user, auth, hostKey, ...(hostKeyAlias !== undefined && { hostKeyAlias }) };
}

function knownHostsPlan(resolution: Resolution, options: FromSshConfigOptions): KnownHostsPlan {
  const { config, positionOf } = resolution;
  const { strictHostKeyChecking: checking, revokedHostKeys, knownHostsCommand: command } = config;
  const isNone = (text: string | undefined) => text === undefined || text.toLowerCase() === "none";
  if (!isNone(command) && options.allowExec !== true)
    throw configError(
      positionOf("knownHostsCommand"),
      "KnownHostsCommand runs a command: set allowExec to permit that",
    );
  const isOpen = checking === "accept-new" || checking === "no" || checking === "off";
  return {
    // Keys that are written to /dev/null are not kept.
    files: config.userKnownHostsFile.filter((path) => !isNone(path) && path !== "/dev/null"),
    globalFiles: config.globalKnownHostsFile.filter((path) => !isNone(path) && path !== "/dev/null"),
    // OpenSSH with `no` even accepts keys that have changed, and then forbids passwords. We refuse them.
    mode: isOpen ? "accept-new" : "strict",
    ...(checking === "ask" && !config.batchMode && options.ask && { ask: options.ask }),
    hash: config.hashKnownHosts,
    updateHostKeys: config.updateHostKeys === "yes",
    requiredRsaBits: config.requiredRSASize,
    hostKeyNames: hostKeyNamesOf(resolution),
    choseHostKeys: config.hostKeyAlgorithms !== undefined,
    ...(config.caSignatureAlgorithms && { authorities: config.caSignatureAlgorithms }),
    ...(acceptsLocalhost(config) && { acceptsAny: true }),
    ...(!isNone(revokedHostKeys) && { revokedHostKeys: revokedHostKeys as string }),
    ...(command !== undefined &&
      !isNone(command) && { command: createKnownHostsCommand(command, resolution, options.onCommandStderr) }),
  };
}

/** NoHostAuthenticationForLocalhost: as in OpenSSH, not through a proxy, and not with HostKeyAlias. */
function acceptsLocalhost(config: Resolution["config"]): boolean {
  const { noHostAuthenticationForLocalhost, hostKeyAlias, proxyJump = [], proxyCommand = "none", hostName } = config;
  const isDirect = proxyJump.length === 0 && proxyCommand.toLowerCase() === "none";
  const isLocal = /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/i.test(hostName);
  return noHostAuthenticationForLocalhost && isDirect && isLocal && hostKeyAlias === undefined;
}

function connectionOptions(
  config: Resolution["config"],
): Pick<TunnelOptions, "keepAlive" | "loginTimeoutMs" | "exitOnForwardFailure" | "rekey"> {
  const { connectTimeout, serverAliveInterval, serverAliveCountMax, rekeyLimit } = config;
  return {
    ...((serverAliveInterval !== undefined || serverAliveCountMax !== undefined) && {
      keepAlive: {
        ...(serverAliveInterval !== undefined && { intervalMs: 1000 * serverAliveInterval }),
        ...(serverAliveCountMax !== undefined && { countMax: Math.max(1, serverAliveCountMax) }),
      },
    }),
    ...(connectTimeout !== undefined && connectTimeout > 0 && { loginTimeoutMs: 1000 * connectTimeout }),
    ...(config.exitOnForwardFailure && { exitOnForwardFailure: true }),
    ...(rekeyLimit && {
      rekey: {
        ...(rekeyLimit.bytes > 0 && { bytes: rekeyLimit.bytes }),
        ...(rekeyLimit.seconds > 0 && { ms: 1000 * rekeyLimit.seconds }),
      },
    }),
  };
}

/** Keywords that matter for the server and for each jump host. */
const usedForLogin: readonly (keyof SshConfigValues)[] = [
  "batchMode",
  "caSignatureAlgorithms",
  "certificateFile",
  "globalKnownHostsFile",
  "hashKnownHosts",
  "hostKeyAlias",
  "hostName",
  "identitiesOnly",
  "identityAgent",
  "identityFile",
  "kbdInteractiveAuthentication",
  "knownHostsCommand",
  "noHostAuthenticationForLocalhost",
  "numberOfPasswordPrompts",
  "passwordAuthentication",
  "port",
  "preferredAuthentications",
  "proxyJump",
  "pubkeyAcceptedAlgorithms",
  "pubkeyAuthentication",
  "requiredRSASize",
  "revokedHostKeys",
  "strictHostKeyChecking",
  "tag",
  "updateHostKeys",
  "user",
  "userKnownHostsFile",
];
/** Keywords that matter for the host that is dialled. */
const usedForDial: readonly (keyof SshConfigValues)[] = [
  "addressFamily",
  "bindAddress",
  "bindInterface",
  "connectionAttempts",
  "proxyCommand",
];
/** Keywords that matter for the server. */
const usedForServer: readonly (keyof SshConfigValues)[] = [
  "ciphers",
  "clearAllForwardings",
  "connectTimeout",
  "dynamicForward",
  "exitOnForwardFailure",
  "gatewayPorts",
  "hostKeyAlgorithms",
  "kexAlgorithms",
  "localForward",
  "macs",
  "rekeyLimit",
  "remoteForward",
  "sendEnv",
  "serverAliveCountMax",
  "serverAliveInterval",
  "setEnv",
];

/** The lines that no host of the route uses. */
function unusedOf(route: readonly Resolution[]): readonly SshConfigSetting[] {
  const lookup = createKeywordLookup();
  const unused = new Map<string, SshConfigSetting>();
  const used = new Set<string>();
  for (const [index, { config }] of route.entries()) {
    const names = new Set<keyof SshConfigValues>([
      ...usedForLogin,
      ...(config.compression ? [] : ["compression" as const]),
      ...(index === 0 ? usedForDial : []),
      ...(index === route.length - 1 ? usedForServer : []),
    ]);
    for (const setting of config.settings) {
      const kind = lookup(setting.keyword);
      const key = `${setting.line} ${setting.file} ${setting.keyword}`;
      if (kind.at === "value" && names.has(kind.name)) used.add(key);
      else unused.set(key, setting);
    }
  }
  return [...unused].filter(([key]) => !used.has(key)).map(([, setting]) => setting);
}
