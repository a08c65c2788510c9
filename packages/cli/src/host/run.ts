/** Runs `postern host`. @module */
import { type HostWorkersOptions, workerExecArgv } from "@postern/node";
import { usageOf } from "../help/labels.ts";
import { versionLine } from "../version.ts";
import { type HostCommandLine, HostUsageError, parseHostCommandLine } from "./command-line.ts";
import { createConnections } from "./connections.ts";
import { reportReady, startInBackground, takeBackgroundMark } from "./daemon.ts";
import { hostHelp } from "./help.ts";
import { createHostLogger, type HostLogger, type LogPlace } from "./logger.ts";
import { createLoggedHost, type ServeContext, serve } from "./serve.ts";
import type { HostSetup } from "./setup.ts";
import { HostConfigError } from "./sshd-config/config-error.ts";
import { parsePort } from "./sshd-config/numbers.ts";

/** Runs `postern host` with the arguments after that word. Resolves with the exit status. */
export async function runHost(args: readonly string[]): Promise<number> {
  const [word = ""] = args;
  if (word === "init") return await (await import("./init.ts")).runInit(args.slice(1));
  if (word === "hash") return await (await import("./hash.ts")).runHash(args.slice(1));
  if (word === "worker") {
    // A process that this command has started, see `workersOf`. It lasts as long as its channel.
    (await import("@postern/node")).runHostWorker();
    return 0;
  }
  let line: HostCommandLine;
  try {
    line = parseHostCommandLine(args);
  } catch (error) {
    if (!(error instanceof HostUsageError)) throw error;
    process.stderr.write(`${error.message}\nusage: ${usageOf(hostHelp).join("\n       ")}\n`);
    return 1;
  }
  if (line.version) {
    process.stderr.write(`${versionLine()}\n`);
    return 0;
  }
  try {
    return await start(line);
  } catch (error) {
    if (!(error instanceof HostConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return error.status;
  }
}

async function start(line: HostCommandLine): Promise<number> {
  const isInBackground = takeBackgroundMark();
  const connections = createConnections();
  // As sshd: what the configuration is about comes to the terminal, unless another place is named for the log.
  let logger: HostLogger = createHostLogger(earlyPlace(line), { level: levelOf(line, "INFO"), facility: "AUTH" });
  const forward: HostLogger = {
    write: (level, text) => logger.write(level, text),
    configure: (settings) => logger.configure({ ...settings, level: levelOf(line, settings.level) }),
    close: () => logger.close(),
  };
  const read = async (): Promise<HostSetup & { readonly print?: () => string }> =>
    await readSetup(line, forward, connections);
  const setup = await read();
  // As sshd, a test says nothing of lines without effect.
  if (line.test === "no") forward.configure(setup.log);
  for (const { level, text } of setup.notes) logger.write(level, text);
  if (line.test !== "no") {
    if (line.test === "print") process.stdout.write(setup.print?.() ?? "");
    return 0;
  }
  const isForeground = line.noDaemon || line.debug > 0 || line.inetd || line.sshdConfig === undefined;
  if (!isForeground && !isInBackground) return await startInBackground();
  await logger.close();
  logger = createHostLogger(placeOf(line, setup), { ...setup.log, level: levelOf(line, setup.log.level) });
  const context: Omit<ServeContext, "reread"> = {
    ...{ logger: forward, connections, isSingle: line.debug > 0, workers: workersOf(line, setup) },
    ...(isInBackground && { onReady: reportReady }),
  };
  try {
    if (line.inetd) {
      const { serveStandardStreams } = await import("./inetd.ts");
      return await serveStandardStreams(createLoggedHost(setup, { ...context, workers: undefined }), connections);
    }
    return await serve(setup, { ...context, reread: read });
  } finally {
    await logger.close();
  }
}

async function readSetup(
  line: HostCommandLine,
  logger: HostLogger,
  connections: ReturnType<typeof createConnections>,
): Promise<HostSetup & { readonly print?: () => string }> {
  if (line.sshdConfig === undefined && (line.config !== undefined || line.settings.length === 0)) {
    const { setupFromJson } = await import("./json/setup.ts");
    return await setupFromJson(line.config ?? "host.json", line);
  }
  const { setupFromSshdConfig } = await import("./sshd-config/setup.ts");
  const source = { file: line.sshdConfig, settings: line.settings, ports: line.ports };
  const setup = await setupFromSshdConfig(source, { logger, connections, hostKeys: line.hostKeys });
  const { printSettings } = await import("./sshd-config/print.ts");
  return { ...setup, print: () => printSettings(effective(setup.config, line.connection), setup.keyFiles) };
}

function effective(
  config: import("./sshd-config/parse.ts").SshdConfig,
  given: HostCommandLine["connection"],
): import("./sshd-config/parse.ts").Settings {
  if (given === undefined) return config.global;
  const address = given.addr ?? "UNKNOWN";
  return config.settings({
    user: given.user ?? "",
    isInvalid: given["invalid-user"] !== undefined,
    groups: [],
    address,
    host: given.host ?? address,
    localAddress: given.laddr ?? "UNKNOWN",
    localPort: parsePort(given.lport ?? ""),
  });
}

/** One connection needs no workers. */
function workersOf({ workers, debug }: HostCommandLine, setup: HostSetup): HostWorkersOptions | undefined {
  const count = workers ?? setup.workers;
  const [, program] = process.argv;
  if (count === undefined || count === 1 || debug > 0 || program === undefined) return undefined;
  return { count, command: [...workerExecArgv(), program, "host", "worker"] };
}

function levelOf({ quiet, debug }: HostCommandLine, configured: string): string {
  if (quiet) return "QUIET";
  return debug > 0 ? `DEBUG${debug}` : configured;
}

function earlyPlace({ logFile, inetd, logToStderr, test }: HostCommandLine): LogPlace {
  if (logFile !== undefined && test === "no") return { to: "file", path: logFile };
  return inetd && !logToStderr ? { to: "system" } : { to: "stderr" };
}

function placeOf({ logToStderr, debug, logFile }: HostCommandLine, { log }: HostSetup): LogPlace {
  const path = logFile ?? log.file;
  if (path !== undefined) return { to: "file", path };
  return logToStderr || debug > 0 || log.format === "json" || log.to === "stderr" ? { to: "stderr" } : { to: "system" };
}
