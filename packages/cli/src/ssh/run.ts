/** The command that connects as ssh does. @module */
import { type ResolvedSshConfig, resolveSshConfig } from "@postern/node";
import type { SshConnection } from "@postern/ssh";
import { UsageError } from "../help/usage-error.ts";
import type { MuxOutput } from "../mux/client.ts";
import { createPrompts, type Prompts } from "../terminal/index.ts";
import { versionLine } from "../version.ts";
import { backgroundOf, startInBackground } from "./background.ts";
import { runClient } from "./client.ts";
import { parseSshCommandLine, type SshCommandLine } from "./command-line.ts";
import { forwardsOfConfig } from "./forwardings.ts";
import { createSshLog, type SshLog } from "./log.ts";
import { describeFailure } from "./messages.ts";
import { type ClientSettings, clientSettings, configOptions } from "./settings.ts";
import { runShared } from "./shared-connection.ts";

/** Runs `postern [ssh options] host [command]`. Resolves with the exit status. */
export async function runSsh(args: readonly string[]): Promise<number> {
  // A standard error whose reader has gone must not end a tunnel.
  process.stderr.on("error", () => {});
  const line = parseSshCommandLine(args);
  for (const warning of line.warnings) process.stderr.write(`${warning}\n`);
  if (line.help) {
    const [{ printHelp }, { sshHelp }] = await Promise.all([import("../help/print-help.ts"), import("./help.ts")]);
    return printHelp(sshHelp);
  }
  if (line.version) return printed(process.stderr, `${versionLine()}\n`);
  if (line.query !== undefined) return printed(process.stdout, (await import("./query.ts")).runQuery(line.query));
  if (line.destination === undefined) throw new UsageError("", "", true);
  let config: ResolvedSshConfig;
  try {
    config = await resolveSshConfig(line.destination, configOptions(line));
    if (line.printConfig) return printed(process.stdout, (await import("./print-config.ts")).printConfig(config));
  } catch (error) {
    for (const text of describeFailure(error, unconnected)) process.stderr.write(`${text}\r\n`);
    return 255;
  }
  return await connect(args, line, config);
}

const unconnected = { host: "", user: "", address: { host: "UNKNOWN", port: 65_535 }, wasOpen: false };

function printed(stream: NodeJS.WritableStream, text: string): number {
  stream.write(text);
  return 0;
}

async function connect(args: readonly string[], line: SshCommandLine, config: ResolvedSshConfig): Promise<number> {
  const settings = clientSettings(line, config);
  const background = backgroundOf();
  let log: SshLog;
  try {
    log = createSshLog({
      level: settings.level,
      file: line.logFile,
      isJson: line.log === "json",
      toSyslog: line.syslog,
    });
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return 1;
  }
  const prompts =
    background?.prompts ??
    createPrompts({
      batchMode: settings.batchMode,
      attempts: settings.passwordPrompts,
      print: (text, level) => log.write(level, text),
      beforeQuestion: () => log.onLine?.(() => {}),
    });
  try {
    if (line.controlCommand !== undefined) return await control(line, settings, config, log);
    if (settings.command === undefined && settings.background && settings.session !== "none") {
      log.write("fatal", "Cannot fork into background without a command to execute.");
      return 255;
    }
    if (background === undefined) {
      const status = await shareOrFork(args, line, settings, config, log, prompts);
      if (status !== undefined) return status;
    }
    const ready = (): void => {
      background?.ready(settings.session !== "none");
      // As ssh: after it went to the background, only debug lines and a log file are of use.
      if (background !== undefined && line.logFile === undefined && !log.includes("debug1")) log.level = "quiet";
    };
    log.write("debug1", versionLine());
    return await runClient({ line, settings, config, log, prompts, ready });
  } catch (error) {
    for (const text of describeFailure(error, unconnected)) log.write("fatal", text);
    return 255;
  } finally {
    log.close();
  }
}

/** Uses the connection of a master, or starts the second process of `-f`. `undefined`: connect in this process. */
async function shareOrFork(
  args: readonly string[],
  line: SshCommandLine,
  settings: ClientSettings,
  config: ResolvedSshConfig,
  log: SshLog,
  prompts: Prompts,
): Promise<number | undefined> {
  const { controlPath, controlMaster, controlPersistMs, connectTimeoutMs: timeoutMs, session } = settings;
  const share = async (forwards: ReturnType<typeof forwardsOfConfig>): Promise<SshConnection | undefined> => {
    if (controlPath === undefined) return undefined;
    const { connectToMaster } = await import("../mux/connect.ts");
    return await connectToMaster({
      path: controlPath,
      controlMaster: isMaster ? controlMaster : "no",
      forwards,
      timeoutMs,
      output: muxOutput(log),
    });
  };
  const isMaster = controlPath !== undefined && controlMaster !== "no";
  const shared = await share(settings.clearsForwardings ? [] : forwardsOfConfig(config));
  if (shared !== undefined) return await runShared(shared, line, settings, config, log);
  if (settings.background) return await startInBackground(args, prompts);
  const persists = isMaster && controlPersistMs !== undefined;
  if (!persists || (session === "none" && line.stdioForward === undefined)) return undefined;
  // The master has to outlive the program, so it is another process, whose connection this one shares.
  const status = await startInBackground(["-f", "-N", ...args], prompts);
  if (status !== 0) return status;
  const { connectToMaster } = await import("../mux/connect.ts");
  const output = muxOutput(log);
  const own = await connectToMaster({ path: controlPath, controlMaster: "no", forwards: [], timeoutMs, output });
  return own === undefined ? 255 : await runShared(own, line, settings, config, log);
}

/** `-O`. */
async function control(
  line: SshCommandLine,
  settings: ClientSettings,
  config: ResolvedSshConfig,
  log: SshLog,
): Promise<number> {
  const { controlPath: path } = settings;
  const { controlCommand: command } = line;
  if (path === undefined || command === undefined) {
    log.write("fatal", 'No ControlPath specified for "-O" command');
    return 255;
  }
  if (command === "proxy") return await shareByProxy(path, line, settings, config, log);
  const { runMuxCommand } = await import("../mux/client.ts");
  return await runMuxCommand({
    path,
    command,
    forwards: forwardsOfConfig(config),
    quiet: line.quiet,
    timeoutMs: settings.connectTimeoutMs,
    output: muxOutput(log),
  });
}

/** `-O proxy`: a program over the connection of a master, also of one of OpenSSH. */
async function shareByProxy(
  path: string,
  line: SshCommandLine,
  settings: ClientSettings,
  config: ResolvedSshConfig,
  log: SshLog,
): Promise<number> {
  if (!settings.clearsForwardings && forwardsOfConfig(config).length > 0) {
    log.write("fatal", "-O proxy carries no forwardings: open them with -O forward, or set ClearAllForwardings");
    return 255;
  }
  const { connectToMaster } = await import("../mux/connect.ts");
  const output = muxOutput(log);
  const shared = await connectToMaster({
    path,
    controlMaster: "no",
    proxy: true,
    forwards: [],
    timeoutMs: settings.connectTimeoutMs,
    output,
  });
  return shared === undefined ? 255 : await runShared(shared, line, settings, config, log);
}

/** Where the client of a master writes to. */
export function muxOutput(log: SshLog): MuxOutput {
  const levels = { error: "error", info: "debug1", debug: "debug2" } as const;
  return {
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    log: (level, text) => log.write(levels[level], text),
  };
}
