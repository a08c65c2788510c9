/** Resolves the configuration of one host, as `ssh -G` does. @module */
import { checkOptions } from "@postern/ssh";
import { expectPort, expectSignal, expectText, expectType, quote, SshError } from "@postern/wire";
import { ConfigLimits } from "./config-files.ts";
import type { SshConfigPosition } from "./config-line.ts";
import { constantDefaults, type Defaulted } from "./defaults.ts";
import type { SshConfigForwardLine } from "./forwards.ts";
import { isUserName, parseSshDestination, type SshDestination } from "./jump-hosts.ts";
import type { SshConfigValues } from "./keywords.ts";
import { type ConfigFile, ConfigReader, type SshConfigSetting } from "./reader.ts";
import { type ConfigSystem, describeSystem, type SshConfigEnvironment } from "./system.ts";
import { expand, expandTilde, type SshConfigTokens } from "./tokens.ts";

/** Options of `resolveSshConfig`. */
export interface ResolveSshConfigOptions {
  /**
   * Reads only this file, as `ssh -F`; `none` reads none. Default: `~/.ssh/config`, then `/etc/ssh/ssh_config` (on
   * Windows, `%ProgramData%\ssh\ssh_config`).
   */
  readonly file?: string;
  /** Permits commands in the file to run: Match exec, ProxyCommand and KnownHostsCommand. Default `false`. */
  readonly allowExec?: boolean;
  /** Has precedence over the file, as `ssh -p`. */
  readonly port?: number;
  /** Has precedence over the file, as `ssh -l`. */
  readonly user?: string;
  /**
   * Lines ahead of the file, as `ssh -o`: `Port=2222` or `Port 2222`. Host, Match and Include are errors. Errors name
   * them `command-line line 0`. They do not apply to jump hosts. At most 1000, of 65,536 characters each.
   */
  readonly settings?: readonly string[];
  /** Lines behind the file, for keywords that it does not set, with the limits of `settings`. */
  readonly defaults?: readonly string[];
  /**
   * The command that the session runs, for Match command and Match sessiontype; empty for a shell. Default: there is no
   * session, as `ssh -N`.
   */
  readonly command?: string;
  /** Default `process.env`. */
  readonly env?: SshConfigEnvironment;
  /** The folder that contains `.ssh`. Default: that of the user who runs the program. */
  readonly home?: string;
  readonly signal?: AbortSignal;
}

/**
 * The configuration of one host: the defaults of OpenSSH, and what the files set. Tokens, variables and `~` are
 * expanded, except in ProxyCommand, ProxyJump and KnownHostsCommand.
 */
export interface ResolvedSshConfig extends Pick<SshConfigValues, Defaulted>, Partial<Omit<SshConfigValues, Defaulted>> {
  /** the host or alias that was asked for */
  readonly originalHost: string;
  /** the values of the lines, without defaults, tokens and paths as they are written */
  readonly written: Partial<SshConfigValues>;
  /** the list of IgnoreUnknown */
  readonly ignoreUnknown?: string;
  /** the lines in force, and where they are */
  readonly settings: readonly SshConfigSetting[];
  /** the values of `%h` and the other tokens, by letter */
  readonly tokens: SshConfigTokens;
}

/** The resolution, with what later steps need. */
export interface Resolution {
  readonly config: ResolvedSshConfig;
  readonly system: ConfigSystem;
  /** where a keyword was set */
  readonly positionOf: (name: keyof SshConfigValues) => SshConfigPosition;
}

/** The options that `resolveSshConfig` knows. */
export const resolveOptionNames = [
  "file",
  "allowExec",
  "port",
  "user",
  "settings",
  "defaults",
  "command",
  "env",
  "home",
  "signal",
] as const;

/** The resolutions of configurations that a program may pass on. */
const resolutions = /* @__PURE__ */ new WeakMap<ResolvedSshConfig, Resolution>();

/** Implements `resolveSshConfig`. */
export async function resolveConfig(host: string, options: ResolveSshConfigOptions = {}): Promise<ResolvedSshConfig> {
  checkOptions("resolveSshConfig", options, resolveOptionNames);
  const resolution = await resolve(parseHost(host), options);
  resolutions.set(resolution.config, resolution);
  return resolution.config;
}

/** Returns the resolution of a configuration. @throws SshError `misuse` if it is not that of this host */
export function resolutionOf(config: ResolvedSshConfig, { host }: SshDestination): Resolution {
  const resolution = resolutions.get(config);
  if (resolution?.config.originalHost === host) return resolution;
  throw new SshError("misuse", `expected config to be what resolveSshConfig returned for ${quote(host, 80)}`);
}

/** Parses the host of a command line. @throws SshError `misuse` */
export function parseHost(host: string): SshDestination {
  expectText("host", host);
  const destination = parseSshDestination(host);
  if (destination === undefined)
    throw new SshError("misuse", `expected a host, user@host or ssh://user@host:port, got ${quote(host, 80)}`);
  return destination;
}

/** `resolveSshConfig` for a destination. `via` replaces ProxyJump, as `ssh -J`. */
export async function resolve(
  destination: SshDestination,
  options: ResolveSshConfigOptions,
  via?: readonly SshDestination[],
): Promise<Resolution> {
  checkValues(options);
  const { allowExec = false, signal } = options;
  const user = destination.user ?? options.user;
  const port = destination.port ?? options.port;
  const system = describeSystem(options);
  const reader = new ConfigReader({
    system,
    originalHost: destination.host,
    allowExec,
    signal,
    command: options.command,
    given: {
      ...(user !== undefined && { user }),
      ...(port !== undefined && { port }),
      ...(via !== undefined && { proxyJump: via }),
    },
  });
  const files = filesToRead(options.file, system);
  await reader.readSettings(options.settings ?? []);
  const isComplete = await reader.read(files);
  if (!isComplete && options.file !== undefined)
    throw new SshError("misuse", `expected the file ${quote(options.file, 400)} to exist`);
  await reader.readFinal(files);
  await reader.readSettings(options.defaults ?? []);
  const positionOf = (name: keyof SshConfigValues): SshConfigPosition => reader.positionOf(name);
  return { config: await complete(reader, destination.host, system), system, positionOf };
}

function checkValues(options: ResolveSshConfigOptions): void {
  const { file, allowExec, port, user, settings, defaults, command, env, home, signal } = options;
  if (file !== undefined) expectText("file", file);
  if (allowExec !== undefined) expectType("allowExec", allowExec, "boolean");
  if (user !== undefined) {
    expectText("user", user);
    if (!isUserName(user)) throw new SshError("misuse", "expected user without characters that a shell interprets");
  }
  if (settings !== undefined) checkLines("settings", settings);
  if (defaults !== undefined) checkLines("defaults", defaults);
  if (command !== undefined) expectType("command", command, "string");
  if (home !== undefined) expectText("home", home);
  if (env !== undefined) expectType("env", env, "object");
  if (port !== undefined) expectPort("port", port, 1);
  expectSignal(signal);
}

/** More lines than a person writes. */
const mostSettings = 1000;

function checkLines(name: string, lines: readonly string[]): void {
  if (!Array.isArray(lines)) throw new SshError("misuse", `expected ${name} to be an array of lines`);
  if (lines.length > mostSettings)
    throw new SshError("misuse", `expected at most ${mostSettings} ${name}, got ${lines.length}`);
  for (const line of lines as readonly unknown[]) {
    expectType(name, line, "string");
    if ((line as string).length > ConfigLimits.lineLength)
      throw new SshError("misuse", `expected ${name} of at most ${ConfigLimits.lineLength} characters, got more`);
  }
}

function filesToRead(file: string | undefined, system: ConfigSystem): readonly ConfigFile[] {
  if (file?.toLowerCase() === "none") return [];
  if (file !== undefined) return [{ path: file, isUsers: true, checksPermissions: false }];
  return [
    { path: `${system.home}/.ssh/config`, isUsers: true, checksPermissions: true },
    { path: `${system.systemFolder}/ssh_config`, isUsers: false, checksPermissions: false },
  ];
}

/** Fills in the defaults, and expands tokens, variables and `~`. */
async function complete(reader: ConfigReader, originalHost: string, system: ConfigSystem): Promise<ResolvedSshConfig> {
  const hostName = reader.hostName();
  const { hostKeyAlias } = reader.values;
  if (hostKeyAlias !== undefined) reader.values = { ...reader.values, hostKeyAlias: hostKeyAlias.toLowerCase() };
  reader.expandUser();
  const written = reader.values;
  const values = withoutNone(written);
  const tokens = reader.tokens();
  const file = async (text: string, name: keyof SshConfigValues): Promise<string> =>
    expand(await expandTilde(text, reader.positionOf(name), system), reader.positionOf(name), tokens, system.env);
  const all = (texts: readonly string[], name: keyof SshConfigValues) =>
    Promise.all(texts.map((text) => file(text, name)));
  const identities = ["id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk"];
  const { identityAgent: agent, clearAllForwardings = false } = values;
  const { forwardAgent = false, remoteCommand, localCommand, controlPath, revokedHostKeys } = values;
  const { localForward = [], remoteForward = [], dynamicForward = [] } = clearAllForwardings ? {} : values;
  const { systemFolder } = system;
  const isOwnStore = values.userKnownHostsFile !== undefined;
  return {
    ...constantDefaults,
    // As OpenSSH: keys are added only to the default files.
    updateHostKeys: isOwnStore || (values.verifyHostKeyDNS ?? "no") !== "no" ? "no" : "yes",
    user: system.localUser,
    ...values,
    written,
    ...(reader.ignoreUnknown !== undefined && { ignoreUnknown: reader.ignoreUnknown }),
    hostName,
    originalHost,
    tokens,
    settings: reader.settings,
    identityFile: await all(values.identityFile ?? identities.map((name) => `~/.ssh/${name}`), "identityFile"),
    userKnownHostsFile: await all(
      values.userKnownHostsFile ?? ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"],
      "userKnownHostsFile",
    ),
    globalKnownHostsFile: values.globalKnownHostsFile ?? [
      `${systemFolder}/ssh_known_hosts`,
      `${systemFolder}/ssh_known_hosts2`,
    ],
    ...(values.certificateFile && { certificateFile: await all(values.certificateFile, "certificateFile") }),
    ...(controlPath !== undefined && { controlPath: await file(controlPath, "controlPath") }),
    ...(revokedHostKeys !== undefined && { revokedHostKeys: await file(revokedHostKeys, "revokedHostKeys") }),
    // `$NAME` and SSH_AUTH_SOCK name a variable that contains the path.
    ...(agent !== undefined && { identityAgent: /^\$[^{]/.test(agent) ? agent : await file(agent, "identityAgent") }),
    ...(values.setEnv && { setEnv: expandVariables(values.setEnv) }),
    ...(typeof forwardAgent === "string" && {
      forwardAgent: /^\$[^{]/.test(forwardAgent) ? forwardAgent : await file(forwardAgent, "forwardAgent"),
    }),
    // There is no tunnel device. As ssh, which does not read the command if it may not run.
    ...(localCommand !== undefined &&
      values.permitLocalCommand && {
        localCommand: expand(localCommand, reader.positionOf("localCommand"), { ...tokens, T: "NONE" }),
      }),
    ...(remoteCommand !== undefined && {
      remoteCommand: expand(remoteCommand, reader.positionOf("remoteCommand"), tokens),
    }),
    localForward: localForward.map((one) => expandPaths(one, "localForward")),
    remoteForward: remoteForward.map((one) => expandPaths(one, "remoteForward")),
    dynamicForward,
  };

  /** Only the paths of UNIX sockets are expanded. */
  function expandPaths(
    { listen, target }: SshConfigForwardLine,
    name: "localForward" | "remoteForward",
  ): SshConfigForwardLine {
    const at = reader.positionOf(name);
    const expanded = (path: string) => ({ path: expand(path, at, tokens, system.env) });
    return {
      listen: "path" in listen ? expanded(listen.path) : listen,
      target: typeof target === "object" && "path" in target ? expanded(target.path) : target,
    };
  }

  /** Since OpenSSH 10.0, SetEnv accepts tokens and variables. */
  function expandVariables(given: Readonly<Record<string, string>>): Record<string, string> {
    const at = reader.positionOf("setEnv");
    return Object.fromEntries(
      Object.entries(given).map(([name, value]) => [name, expand(value, at, tokens, system.env)]),
    );
  }
}

/** Keywords that `none` leaves without a value. */
const clearedByNone = [
  "localCommand",
  "remoteCommand",
  "controlPath",
  "pkcs11Provider",
  "securityKeyProvider",
] as const;

function withoutNone(values: Partial<SshConfigValues>): Partial<SshConfigValues> {
  const cleared: { -readonly [Name in keyof SshConfigValues]?: SshConfigValues[Name] } = { ...values };
  for (const name of clearedByNone) if (cleared[name]?.toLowerCase() === "none") delete cleared[name];
  return cleared;
}
