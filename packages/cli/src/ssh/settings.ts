/** The values of the configuration that the client itself uses, in the form in which it uses them. @module */
import { matchPattern } from "@postern/keys";
import type { ResolvedSshConfig, ResolveSshConfigOptions } from "@postern/node";
import type { SshCommandLine } from "./command-line.ts";
import type { SshLogLevel } from "./log.ts";

/** The values that decide about the client. */
export interface ClientSettings {
  readonly session: "none" | "default" | "subsystem";
  /** the command, from the command line or RemoteCommand */
  readonly command: string | undefined;
  readonly requestTty: "auto" | "no" | "yes" | "force";
  readonly stdinNull: boolean;
  readonly background: boolean;
  readonly level: SshLogLevel;
  readonly clearsForwardings: boolean;
  readonly exitOnForwardFailure: boolean;
  readonly batchMode: boolean;
  readonly passwordPrompts: number;
  readonly unlinksSockets: boolean;
  readonly permitRemoteOpen: readonly string[];
  /** the command of LocalCommand, if PermitLocalCommand allows it */
  readonly localCommand: string | undefined;
  /** one character, or `none` */
  readonly escapeChar: string;
  /** undefined: no control socket */
  readonly controlPath: string | undefined;
  readonly controlMaster: "yes" | "no" | "ask" | "auto" | "autoask";
  /** milliseconds after which a master without connections ends; `undefined`: it ends with its program */
  readonly controlPersistMs: number | undefined;
  /** milliseconds of ConnectTimeout; `undefined`: no limit */
  readonly connectTimeoutMs: number | undefined;
}

/** Combines command line and configuration. */
export function clientSettings({ command, stdioForward }: SshCommandLine, config: ResolvedSshConfig): ClientSettings {
  const { sessionType: session, remoteCommand, controlPath, controlPersist = false, connectTimeout = 0 } = config;
  const background = config.forkAfterAuthentication === true;
  const isNone = (text: string | undefined): boolean => text === undefined || text.toLowerCase() === "none";
  return {
    session,
    command: command ?? (isNone(remoteCommand) ? undefined : remoteCommand),
    requestTty: config.requestTTY ?? "auto",
    stdinNull: config.stdinNull === true || background,
    background,
    level: config.logLevel.toLowerCase() as SshLogLevel,
    // As ssh: -W implies both.
    clearsForwardings: stdioForward !== undefined || config.clearAllForwardings,
    exitOnForwardFailure: stdioForward !== undefined || config.exitOnForwardFailure,
    batchMode: config.batchMode,
    passwordPrompts: config.numberOfPasswordPrompts,
    unlinksSockets: config.streamLocalBindUnlink === true,
    permitRemoteOpen: config.permitRemoteOpen ?? ["any"],
    localCommand: config.permitLocalCommand === true ? localCommand(config) : undefined,
    escapeChar: config.escapeChar ?? "~",
    controlPath: isNone(controlPath) ? undefined : controlPath,
    controlMaster: config.controlMaster ?? "no",
    controlPersistMs: persistence(controlPersist),
    connectTimeoutMs: connectTimeout > 0 ? 1000 * connectTimeout : undefined,
  };
}

/** The options with which the configuration of a command line is read. */
export function configOptions({
  settings,
  defaults,
  configFile,
  command,
  noCommand,
  stdioForward,
}: SshCommandLine): ResolveSshConfigOptions {
  const hasSession = !noCommand && stdioForward === undefined;
  return {
    settings,
    defaults,
    ...(configFile !== undefined && { file: configFile }),
    ...(hasSession && { command: command ?? "" }),
    // A tool of the command line does what the user's configuration says.
    allowExec: true,
  };
}

/** The variables of SetEnv, and those of SendEnv that are set. */
export function sessionEnvironment({ sendEnv = [], setEnv = {} }: ResolvedSshConfig): Readonly<Record<string, string>> {
  const sent = Object.entries(process.env).filter(([name]) => sendEnv.some((pattern) => matchPattern(name, pattern)));
  return { ...(Object.fromEntries(sent) as Record<string, string>), ...setEnv };
}

/** `yes` and 0 are without limit. */
function persistence(value: boolean | number): number | undefined {
  if (value === false) return undefined;
  return value === true || value === 0 ? Number.POSITIVE_INFINITY : 1000 * value;
}

/** LocalCommand with its tokens. There is no tunnel device, which `%T` names. */
function localCommand({ localCommand: text, tokens }: ResolvedSshConfig): string | undefined {
  if (text === undefined || text.toLowerCase() === "none") return undefined;
  const values: Readonly<Record<string, string | undefined>> = { ...tokens, T: "NONE", "%": "%" };
  return text.replace(/%(.)/g, (token, letter: string) => values[letter] ?? token);
}
