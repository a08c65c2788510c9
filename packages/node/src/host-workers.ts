/** The worker processes of a TunnelHost: started, given the sockets of clients, and replaced when they end. @module */
import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import type { Socket } from "node:net";
import { availableParallelism } from "node:os";
import { pathToFileURL } from "node:url";
import type { HostWorker, HostWorkers } from "@postern/host";
import { checkOptions, setRef } from "@postern/ssh";
import { describeType, quote, SshError } from "@postern/wire";

/** The option `workers` of a TunnelHost. */
export interface HostWorkersOptions {
  /** Number of processes. `auto`: as many as the cores that this process may use. */
  readonly count: number | "auto";
  /**
   * Arguments of `process.execPath` for a program that calls {@link runHostWorker}. Default: one in this package, with
   * {@link workerExecArgv}. Needed if your program is bundled into one file.
   */
  readonly command?: readonly string[];
}

/** How long a worker that has ended is not replaced: the first time, and at most. */
const firstRestartMs = 100;
const maxRestartMs = 30_000;
/** A worker that has run for so long did not fail at its start. */
const healthyMs = 60_000;
/** A worker that answers nothing for this long is ended. */
const pingMs = 10_000;
const maxPings = 3;
/** More than the machine can use are a mistake. */
const maxWorkers = 1024;

interface Process {
  readonly child: ChildProcess;
  readonly worker: HostWorker;
  readonly startedAt: number;
  /** Number of pings since its last answer. A process that starts has not answered. */
  unanswered: number;
}

/** Returns the number of processes and their command. @throws SshError `misuse` */
export function readWorkers(given: number | "auto" | HostWorkersOptions): {
  readonly count: number;
  readonly command: readonly string[];
} {
  const isObject = typeof given === "object";
  const options = isObject ? given : { count: given };
  checkOptions("workers", options, ["count", "command"]);
  const { command } = options;
  const count = options.count === "auto" ? availableParallelism() : options.count;
  if (!Number.isInteger(count) || count < 1 || count > maxWorkers) {
    const name = isObject ? "workers.count" : "workers";
    throw new SshError(
      "misuse",
      `expected ${name} to be "auto" or an integer from 1 to ${maxWorkers}, got ${describeCount(count)}`,
    );
  }
  if (command !== undefined && !isStrings(command)) {
    throw new SshError("misuse", `expected workers.command to be an array of strings, got ${describeType(command)}`);
  }
  const { versions } = process;
  // Passing a socket to another process cannot be tested without one.
  const other = ["bun", "deno"].find((name) => versions[name] !== undefined);
  if (other !== undefined) {
    throw new SshError("misuse", `expected workers on Node.js, which can pass sockets to processes, got ${other}`);
  }
  return { count, command: command ?? ownCommand() };
}

/** A number or a text as it is, and the type of anything else. */
function describeCount(count: unknown): string {
  if (typeof count === "string") return quote(count);
  return typeof count === "number" ? String(count) : describeType(count);
}

function isStrings(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

/** The processes of a host. */
export class WorkerPool {
  readonly #workers: HostWorkers;
  readonly #command: readonly string[];
  readonly #processes = new Set<Process>();
  readonly #restarts = new Set<ReturnType<typeof setTimeout>>();
  readonly #pings: ReturnType<typeof setInterval>;
  #spawnError: Error | undefined;
  #restartMs = firstRestartMs;
  #isClosed = false;

  constructor(workers: HostWorkers, count: number, command: readonly string[]) {
    this.#workers = workers;
    this.#command = command;
    for (let number = 0; number < count; number++) this.#start();
    this.#pings = setInterval(() => this.#ping(), pingMs);
    setRef(this.#pings, false);
  }

  /** Resolves when all processes answer. @throws SshError `connect` if one has ended instead */
  async ready(): Promise<void> {
    try {
      if (this.#spawnError !== undefined) throw this.#spawnError;
      await Promise.all([...this.#processes].map(({ worker }) => worker.ping()));
    } catch (cause) {
      throw new SshError("connect", `expected workers to start, but ${(cause as Error).message}`, { cause });
    }
  }

  /** The process IDs. */
  get pids(): readonly number[] {
    return [...this.#processes].flatMap(({ child }) => child.pid ?? []);
  }

  /**
   * Returns the worker with the fewest clients, or `undefined` if none runs. One that answers comes first: a process
   * that starts or hangs has few clients because it serves none.
   */
  get least(): HostWorker | undefined {
    let least: Process | undefined;
    for (const one of this.#processes) {
      const more = least && (one.unanswered - least.unanswered || one.worker.clients.size - least.worker.clients.size);
      if (more === undefined || more < 0) least = one;
    }
    if (least !== undefined) {
      // Of several with as few, each has its turn.
      this.#processes.delete(least);
      this.#processes.add(least);
    }
    return least?.worker;
  }

  /** Ends the processes. For up to a minute, they still deliver what slow visitors have not read. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#pings);
    for (const timer of this.#restarts) clearTimeout(timer);
    for (const { child } of this.#processes) {
      if (child.connected) child.send({ type: "end" }, () => child.connected && child.disconnect());
      child.unref();
    }
  }

  #start(): void {
    let child: ChildProcess;
    try {
      child = spawn(process.execPath, this.#command, {
        stdio: ["ignore", "inherit", "inherit", "ipc"],
        serialization: "advanced",
        windowsHide: true,
      });
    } catch (error) {
      // Node.js throws some errors, such as ENOMEM, and emits others, such as EAGAIN.
      this.#spawnError = error as Error;
      this.#workers.notStarted(this.#spawnError.message);
      this.#restart(0);
      return;
    }
    const worker = this.#workers.add((message, handle) => {
      // If Node.js closed our copy, it would send the socket of a worker that lacks descriptors again, and the second
      // receipt would end this process by a failed assertion.
      const options = { keepOpen: true };
      // A process that has ended says so by 'exit'.
      if (child.connected) child.send(message as object, handle as Socket | undefined, options, () => {});
    });
    const started: Process = { child, worker, startedAt: performance.now(), unanswered: 1 };
    this.#processes.add(started);
    let hasEnded = false;
    const ended = (reason: string): void => {
      if (hasEnded) return;
      hasEnded = true;
      this.#processes.delete(started);
      if (this.#isClosed) return;
      this.#workers.remove(worker, child.pid, reason);
      this.#restart(performance.now() - started.startedAt);
    };
    child.on("message", (message) => worker.receive(message));
    // A process may have several errors, such as a failed start and then a failed kill. An error that nothing handles
    // would end this process.
    child.on("error", ({ message }) => ended(message));
    child.once("exit", (code, signal) => ended(signal ?? `exit status ${code}`));
    // Without its channel, a process is of no use.
    child.once("disconnect", () => {
      if (!this.#isClosed) child.kill("SIGKILL");
    });
    worker.ping().then(
      () => {
        started.unanswered = 0;
      },
      ({ message }: Error) => {
        ended(message);
        child.kill("SIGKILL");
      },
    );
  }

  #restart(ranMs: number): void {
    if (ranMs > healthyMs) this.#restartMs = firstRestartMs;
    const timer = setTimeout(() => {
      this.#restarts.delete(timer);
      this.#start();
    }, this.#restartMs);
    this.#restarts.add(timer);
    this.#restartMs = Math.min(2 * this.#restartMs, maxRestartMs);
  }

  #ping(): void {
    for (const one of this.#processes) {
      if (one.unanswered >= maxPings) {
        one.child.kill("SIGKILL");
        continue;
      }
      one.unanswered++;
      one.worker.ping().then(
        () => {
          one.unanswered = 0;
        },
        () => {},
      );
    }
  }
}

/** Options of Node.js that only the program itself must have. */
const ownOptions = /^--(?:inspect|test|watch|input-type|eval|print|check)|^-[epc]/;

/** The command that runs `runHostWorker` of this package. @throws SshError `misuse` if the package is not installed */
function ownCommand(): readonly string[] {
  let module: string;
  try {
    module = createRequire(import.meta.url).resolve("@postern/node");
  } catch (cause) {
    throw new SshError("misuse", "expected workers.command, because this program is bundled", { cause });
  }
  const program = `import(${JSON.stringify(pathToFileURL(module).href)}).then((module) => module.runHostWorker())`;
  return [...workerExecArgv(), "--eval", program];
}

/**
 * Returns the options of Node.js that a worker should have as well: those of `process.execArgv`, without the ones that
 * only this process must have, such as `--inspect-brk` and `--eval`.
 */
export function workerExecArgv(): string[] {
  let isOwn = false;
  return process.execArgv.filter((arg) => {
    // Another word is the value of the option before it.
    const isValue = !arg.startsWith("-");
    isOwn = isValue ? isOwn : ownOptions.test(arg);
    return !isOwn;
  });
}
