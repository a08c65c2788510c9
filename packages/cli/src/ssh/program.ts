/** The program of a connection: a command, a shell, a subsystem, or `-W`. @module */
import type { PtyOptions, SessionProgram, SshConnection } from "@postern/ssh";
import { createEscapes, openTerminal, type Terminal } from "../terminal/index.ts";
import { describeChannels } from "./connection-info.ts";
import { logLevels, type SshLog } from "./log.ts";
import { ClientError } from "./messages.ts";
import { type RunningSession, startSession } from "./session.ts";
import type { ClientSettings } from "./settings.ts";
import { forwardStdio, type StdioTarget } from "./stdio-forward.ts";

/** A program, and what it needs of the client. */
export interface ProgramContext {
  readonly settings: ClientSettings;
  readonly stdioForward: StdioTarget | undefined;
  readonly log: SshLog;
  /** the variables of SendEnv and SetEnv */
  readonly environment: Readonly<Record<string, string>>;
  /** Called when the server has started the program. */
  readonly onStarted: () => void;
  /** `~.`: the user ends the connection. */
  readonly onDisconnect: () => void;
  /** `~C`: asks for a command, and runs it. `undefined` unless EnableEscapeCommandline is set. */
  readonly commandLine?: (() => Promise<void>) | undefined;
}

/** A program that runs. */
export interface RunningProgram {
  /** Resolves with its exit status. Rejects if the connection breaks. */
  readonly exit: Promise<number>;
  /** whether it has a terminal of the server */
  readonly hasPty: boolean;
  /** Turns raw mode of the terminal off. */
  release(): void;
}

/**
 * Whether the session gets a terminal, as ssh decides it. Writes the line of ssh if standard input prevents it.
 */
export function wantsPty({ requestTty, command, session, stdinNull }: ClientSettings, log: SshLog): boolean {
  if (requestTty === "no" || session === "none") return false;
  const isWanted = requestTty === "yes" || requestTty === "force" || command === undefined;
  const isTerminal = process.stdin.isTTY === true && !stdinNull;
  if (!isWanted || isTerminal || requestTty === "force") return isWanted;
  log.write("info", "Pseudo-terminal will not be allocated because stdin is not a terminal.");
  return false;
}

/** Starts the program. @throws ClientError if the server refuses the channel */
export async function startProgram(
  connection: SshConnection,
  context: ProgramContext,
  pty: boolean,
): Promise<RunningProgram> {
  const { settings, stdioForward } = context;
  const { stdout, stderr } = process;
  const stdin = settings.stdinNull ? undefined : process.stdin;
  if (stdioForward === undefined) return await startInTerminal(connection, context, pty);
  const exit = forwardStdio(connection, stdioForward, { stdin, stdout, stderr });
  exit.catch(() => {});
  return { exit, hasPty: false, release: () => {} };
}

async function startInTerminal(
  connection: SshConnection,
  context: ProgramContext,
  pty: boolean,
): Promise<RunningProgram> {
  const { settings, log, onStarted } = context;
  const { stdout, stderr } = process;
  const terminal = pty && !settings.stdinNull ? openTerminal() : undefined;
  const stdin = settings.stdinNull ? undefined : (terminal?.input ?? process.stdin);
  let session: RunningSession | undefined;
  const escapes =
    pty && settings.escapeChar !== "none"
      ? createEscapes({
          char: settings.escapeChar,
          actions: escapeActions(connection, context, terminal, () => session),
        })
      : undefined;
  terminal?.raw(true);
  const stopResizing = terminal?.onResize((size) => session?.resize(size));
  const release = (): void => {
    stopResizing?.();
    terminal?.raw(false);
  };
  try {
    session = await startSession(connection, {
      program: programOf(context, pty ? ptyOf(terminal, context.environment) : undefined),
      requiresPty: settings.requestTty === "yes" || settings.requestTty === "force",
      stdin,
      stdout,
      stderr,
      ...(escapes !== undefined && { filter: (bytes) => escapes.feed(bytes) }),
      onStarted,
      onPtyRefused: () => terminal?.raw(false),
      error: (line) => log.write("error", line),
      debug: (line) => log.write("debug1", line),
    });
  } catch (error) {
    release();
    throw error;
  }
  session.exit.then(release, release);
  return { exit: session.exit, hasPty: pty, release };
}

function programOf({ settings, environment }: ProgramContext, pty: PtyOptions | undefined): SessionProgram {
  const { command, session } = settings;
  const common = { env: environment, ...(pty !== undefined && { pty }) };
  if (command === undefined || command === "") {
    if (session === "subsystem") throw new ClientError("You must specify a subsystem to invoke.");
    return { ...common, shell: true };
  }
  return session === "subsystem" ? { ...common, subsystem: command } : { ...common, exec: command };
}

function ptyOf(terminal: Terminal | undefined, environment: ProgramContext["environment"]): PtyOptions {
  const { TERM: term = process.env.TERM ?? "dumb" } = environment;
  if (terminal === undefined) return { term, columns: 0, rows: 0 };
  return { term, modes: terminal.modes(), ...terminal.size() };
}

function escapeActions(
  connection: SshConnection,
  { log, onDisconnect, commandLine }: ProgramContext,
  terminal: Terminal | undefined,
  session: () => RunningSession | undefined,
): Parameters<typeof createEscapes>[0]["actions"] {
  return {
    print: (text) => void process.stderr.write(text),
    disconnect: onDisconnect,
    suspend() {
      void terminal?.suspend();
    },
    connections: () => describeChannels(connection),
    ...(commandLine !== undefined &&
      terminal !== undefined && { openCommandLine: () => void withoutSession(terminal, commandLine) }),
    sendBreak: () => session()?.sendBreak(1000),
    rekey: () => connection.rekey(),
    changeLogLevel(step) {
      log.level =
        logLevels[Math.min(Math.max(1, logLevels.indexOf(log.level) + step), logLevels.length - 1)] ?? log.level;
      return log.level.toUpperCase();
    },
  };
}

/** Calls a function that uses the terminal. Meanwhile the session neither reads it nor writes to it. */
async function withoutSession(terminal: Terminal, use: () => Promise<void>): Promise<void> {
  const { input } = terminal;
  const hold = (): unknown => input.pause();
  // The channel may have room again, and want more input.
  input.pause().on("resume", hold);
  terminal.raw(false);
  process.stdout.cork();
  try {
    await use();
  } finally {
    process.stdout.uncork();
    terminal.raw(true);
    input.off("resume", hold).resume();
  }
}
