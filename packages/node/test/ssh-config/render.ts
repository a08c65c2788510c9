/** Prints a resolved configuration as `ssh -G` does, so that both can be compared. */
import { type SshConfigAlgorithms, selectAlgorithms } from "../../src/ssh-config/algorithm-lists.ts";
import type { SshConfigForwardLine, SshConfigListen, SshConfigTarget } from "../../src/ssh-config/forwards.ts";
import type { SshConfigValues } from "../../src/ssh-config/keywords.ts";
import type { ResolvedSshConfig } from "../../src/ssh-config/resolve.ts";

/** The algorithm names of the real ssh: its defaults and all it knows. */
export interface AlgorithmNames {
  readonly defaults: readonly string[];
  readonly supported: readonly string[];
}

type Printed = { [Name in keyof SshConfigValues]?: (value: SshConfigValues[Name]) => readonly string[] };

/** Returns the lines of `ssh -G` for one keyword. `true` and `false` are written `yes` and `no`. */
export function render(
  config: ResolvedSshConfig,
  name: keyof SshConfigValues,
  names: (keyword: string) => AlgorithmNames,
): readonly string[] {
  const algorithms = (list: SshConfigAlgorithms) => {
    const { defaults, supported } = names(name.toLowerCase());
    return [selectAlgorithms(list, defaults, supported).join(",")];
  };
  const printers: Printed = {
    ciphers: algorithms,
    macs: algorithms,
    kexAlgorithms: algorithms,
    hostKeyAlgorithms: algorithms,
    pubkeyAcceptedAlgorithms: algorithms,
    certificateFile: (files) => files,
    identityFile: (files) => files,
    sendEnv: (patterns) => patterns,
    setEnv: (variables) => Object.entries(variables).map(([key, value]) => `${key}=${value}`),
    localForward: (lines) => lines.map(forward),
    remoteForward: (lines) => lines.map(forward),
    dynamicForward: (lines) => lines.map(({ listen }) => listener(listen)),
    addKeysToAgent: ({ mode, lifetime }) => [lifetime > 0 ? String(lifetime) : mode],
    escapeChar: (char) => [char],
    ipQoS: ({ interactive, bulk }) => [`${interactive} ${bulk}`],
    logLevel: (level) => [level === "DEBUG1" ? "DEBUG" : level],
    connectTimeout: (seconds) => [String(seconds ?? "none")],
    rekeyLimit: ({ bytes, seconds }) => [`${bytes} ${seconds}`],
    proxyCommand: (command) => (command === "none" ? [] : [command]),
    proxyJump: (hops) =>
      hops.length === 0
        ? []
        : [
            hops
              .map(({ host, user, port }) => {
                const at = host.includes(":") ? `[${host}]` : host;
                return `${user === undefined ? "" : `${user}@`}${at}${port === undefined ? "" : `:${port}`}`;
              })
              .join(","),
          ],
    strictHostKeyChecking: (mode) => [mode === "off" ? "no" : mode],
    userKnownHostsFile: (files) => [files.join(" ")],
    globalKnownHostsFile: (files) => [files.join(" ")],
  };
  const value = config[name];
  const print = printers[name] as ((value: unknown) => readonly string[]) | undefined;
  if (print !== undefined) return print(value);
  return [typeof value === "boolean" ? (value ? "yes" : "no") : String(value as string | number)];
}

function forward({ listen, target }: SshConfigForwardLine): string {
  return `${listener(listen)} ${destination(target)}`;
}

function listener(listen: SshConfigListen): string {
  if ("path" in listen) return listen.path;
  return listen.host === undefined ? String(listen.port) : `[${listen.host}]:${listen.port}`;
}

function destination(target: SshConfigTarget): string {
  if (target === "socks") return "[socks]:0";
  return "path" in target ? target.path : `[${target.host}]:${target.port}`;
}
