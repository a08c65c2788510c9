/** The standard input and output of a command as a byte pipe, as with OpenSSH's ProxyCommand. @module */
import { type ChildProcessByStdio, type SpawnOptions, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { type BytePipe, type CallOptions, checkOptions, onAbort, type PipeSink, setRef } from "@postern/ssh";
import {
  type ArrayBufferBytes,
  type Bytes,
  expectList,
  expectSignal,
  expectText,
  expectType,
  quote,
  SshError,
} from "@postern/wire";

/** Options of {@link commandPipe}. */
export interface CommandPipeOptions extends CallOptions {
  /**
   * Runs `command` as a line of the system's shell. The caller must quote every part that comes from elsewhere. Default
   * `false`: runs a program with exactly these arguments.
   */
  readonly shell?: boolean | undefined;
  /** the environment; default that of this process */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** the working directory */
  readonly cwd?: string | undefined;
  /** Called with text that the command writes to its standard error. Unprintable characters are not escaped. */
  readonly onStderr?: ((text: string) => void) | undefined;
}

/** The end of standard error that is kept for the error, in characters. */
const keptOfStderr = 1024;
/** The time to end after the end of the input, before SIGTERM, and after that, before SIGKILL. */
const graceMs = 1_000;
/** The time for a command to end after the end of its output, before that is reported as a half-close. */
const statusMs = 100;

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/**
 * Starts a command and resolves with a byte pipe over its standard input and output. `end` closes its input; the end of
 * its output is the pipe's. `abort` and the signal end the command with SIGTERM; `close` does so if it has not ended a
 * second after its input. With `shell`, that reaches the shell alone: begin a line of one command with `exec`. If the
 * command ends by itself with a status other than 0, the pipe closes with an error. The error has the status and the
 * last line of its standard error.
 *
 * @throws SshError `connect` if the command cannot be started; `misuse`; the signal's reason if it has aborted
 * @example
 * const tunnel = new ReverseTunnel({
 *   dial: ({ host, port }, { signal }) => commandPipe("nc", [host, String(port)], { signal }),
 *   ...options,
 * });
 */
export async function commandPipe(
  command: string,
  args: readonly string[] = [],
  options: CommandPipeOptions = {},
): Promise<BytePipe> {
  expectText("command", command);
  expectList("args to list texts", args, (one) => typeof one === "string");
  checkOptions("commandPipe", options, ["signal", "shell", "env", "cwd", "onStderr"]);
  const { signal, shell = false, env, cwd, onStderr } = options;
  expectSignal(signal);
  expectType("shell", shell, "boolean");
  if (env !== undefined) expectType("env", env, "object");
  if (cwd !== undefined) expectText("cwd", cwd);
  if (onStderr !== undefined) expectType("onStderr", onStderr, "function");
  if (shell && args.length > 0) {
    throw new SshError("misuse", "expected no args with a shell, which would not quote them: write one line");
  }
  signal?.throwIfAborted();
  // A line or an argument may hold a secret, so errors have only the name of a program.
  const name = shell ? "the command" : `the command ${quote(command)}`;
  const child = start(name, command, args, { shell, env, cwd });
  const pipe = new CommandPipe(name, child, onStderr);
  const stopListening = onAbort(signal, () => pipe.abort(signal?.reason instanceof Error ? signal.reason : undefined));
  child.once("close", stopListening);
  return await new Promise<BytePipe>((resolve, reject) => {
    child.once("spawn", () => resolve(pipe));
    child.once("error", (cause: NodeJS.ErrnoException) => {
      stopListening();
      reject(notStarted(name, cause));
    });
  });
}

function start(name: string, command: string, args: readonly string[], options: SpawnOptions): Child {
  const { env = {}, cwd = "" } = options;
  const isText = (text: unknown) => !String(text).includes("\0");
  if (![command, cwd, ...args, ...Object.entries(env).flat()].every(isText))
    throw new SshError("misuse", `expected ${name}, its arguments and its environment without a NUL, got one`);
  try {
    return spawn(command, args, { ...options, stdio: "pipe", windowsHide: true });
  } catch (error) {
    // Some errors are thrown, such as E2BIG.
    throw notStarted(name, error as NodeJS.ErrnoException);
  }
}

/** The original error would show the arguments, as `spawnargs`. */
function notStarted(name: string, { code, name: type }: NodeJS.ErrnoException): SshError {
  return new SshError("connect", `expected ${name} to start, got ${code ?? type}`);
}

class CommandPipe implements BytePipe {
  readonly #name: string;
  readonly #child: Child;
  #sink: PipeSink | undefined;
  #paused = false;
  #ended = false;
  /** whether we closed the pipe: further output is dropped */
  #dropping = false;
  #aborted: Error | undefined;
  #outputEnd: "open" | "ended" | "reported" = "open";
  #life: "running" | "gone" | "reported" = "running";
  #error: Error | undefined;
  #stderr = "";
  #timer: NodeJS.Timeout | undefined;
  #ending: NodeJS.Timeout | undefined;

  constructor(name: string, child: Child, onStderr: ((text: string) => void) | undefined) {
    this.#name = name;
    this.#child = child;
    const { stdin, stdout, stderr } = child;
    // A command that ends before it has read everything: its status says more.
    for (const stream of [stdin, stdout, stderr]) stream.on("error", () => {});
    stdin.on("drain", () => this.#sink?.drain());
    stdout.pause();
    stdout.on("end", () => {
      // A command usually ends right after its output. Its status, if it is not 0, replaces the end.
      this.#ending = setTimeout(() => this.#endOutput(), statusMs);
    });
    stderr.setEncoding("utf8");
    stderr.on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-keptOfStderr);
      onStderr?.(text);
    });
    child.once("close", (code, signal) => this.#gone(code, signal));
  }

  start(sink: PipeSink): void {
    if (this.#sink !== undefined) throw new SshError("misuse", "expected one start, got another");
    this.#sink = sink;
    // The sink expects a Uint8Array. A Buffer differs: its slice() does not copy.
    this.#child.stdout.on("data", ({ buffer, byteOffset, length }: ArrayBufferBytes) => {
      if (!this.#dropping) sink.data(new Uint8Array(buffer, byteOffset, length));
    });
    if (!this.#paused) this.#child.stdout.resume();
    queueMicrotask(() => this.#report());
  }

  write(chunk: Bytes): boolean {
    const { stdin } = this.#child;
    if (this.#dropping || stdin.destroyed) return false;
    if (this.#ended) throw new SshError("misuse", "expected no write after end, got one");
    return stdin.write(chunk, (error) => {
      if (!error) this.#sink?.memory?.written?.(chunk);
    });
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#child.stdin.end();
  }

  pause(): void {
    this.#paused = true;
    this.#child.stdout.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#sink !== undefined) this.#child.stdout.resume();
  }

  close(): void {
    if (this.#dropping || this.#life !== "running") return;
    this.#drop();
    this.end();
    // A command usually ends with its input. It may still have to pass some of it on.
    this.#timer = setTimeout(() => this.#terminate(), graceMs);
  }

  abort(reason?: Error): void {
    if (this.#aborted !== undefined || this.#life !== "running") return;
    this.#aborted = reason ?? new SshError("closed", "the pipe was aborted");
    this.#drop();
    this.#child.stdin.destroy();
    this.#terminate();
  }

  ref(): void {
    this.#setRef(true);
  }

  unref(): void {
    this.#setRef(false);
  }

  #setRef(keepsAlive: boolean): void {
    const { stdin, stdout, stderr } = this.#child;
    for (const one of [this.#child, stdin, stdout, stderr]) setRef(one, keepsAlive);
  }

  #drop(): void {
    this.#dropping = true;
    this.#child.stdout.resume();
  }

  #terminate(): void {
    clearTimeout(this.#timer);
    this.#child.kill("SIGTERM");
    this.#timer = setTimeout(() => {
      this.#child.kill("SIGKILL");
      // A grandchild may hold them open.
      this.#child.stdout.destroy();
      this.#child.stderr.destroy();
    }, graceMs);
  }

  #endOutput(): void {
    if (this.#outputEnd !== "open") return;
    this.#outputEnd = "ended";
    this.#report();
  }

  #gone(code: number | null, signal: NodeJS.Signals | null): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#ending);
    this.#life = "gone";
    this.#error = this.#aborted ?? (this.#dropping ? undefined : this.#failure(code, signal));
    if (code === 0) this.#endOutput();
    this.#report();
  }

  #failure(code: number | null, signal: NodeJS.Signals | null): SshError | undefined {
    if (code === 0 && this.#ended) return undefined;
    const end = signal === null ? `status ${code}` : `signal ${signal}`;
    const line = this.#stderr.trim().split("\n").at(-1) ?? "";
    const printed = line === "" ? "" : ` and printed ${quote(line)}`;
    return new SshError("closed", `${this.#name} ended with ${end}${printed}`);
  }

  #report(): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    if (this.#outputEnd === "ended" && this.#aborted === undefined) {
      this.#outputEnd = "reported";
      sink.end();
    }
    if (this.#life !== "gone") return;
    this.#life = "reported";
    sink.closed(this.#error);
  }
}
