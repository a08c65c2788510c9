/** Child processes. They end with all their descendants, also if the test process dies. @module */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { atExit } from "./at-exit.ts";

/** The output of a process. */
export interface Printed {
  readonly text: () => string;
  /** Waits until the text matches. Throws with the text at the timeout, or if the process ends before. */
  readonly waitFor: (pattern: RegExp, timeoutMs?: number) => Promise<RegExpMatchArray>;
}

export interface Running {
  readonly pid: number;
  readonly stdout: Printed;
  readonly stderr: Printed;
  /** The exit code, or the name of the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>;
  /** Kills the process and all its descendants. Resolves when they have ended. */
  stop(): Promise<void>;
  /** Kills only the descendants of `pid` below `depth` generations. */
  stopDescendants(depth: number): void;
  /** Sends a signal to the descendants whose command line matches. Returns their number. */
  signalDescendants(signal: NodeJS.Signals, commandLine: RegExp): number;
}

export interface LaunchOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** The working directory. Default: that of this process. */
  readonly cwd?: string;
  readonly input?: string;
  /** A command line that runs the one after it, such as `unshare`. */
  readonly prefix?: readonly string[];
}

const running = new Set<number>();

atExit(() => {
  for (const pid of running) {
    killTree(pid);
    kill(pid);
  }
});

/** Starts a program. It ends with this process, even if this process is killed (`setpriv --pdeathsig`, Linux). */
export async function launch(command: string, args: readonly string[], options: LaunchOptions = {}): Promise<Running> {
  const child = spawn("setpriv", ["--pdeathsig", "KILL", ...(options.prefix ?? []), command, ...args], {
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
    cwd: options.cwd,
    env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C.UTF-8", ...options.env },
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", reject);
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${command} has no pid`);
  running.add(pid);
  // The program may end without reading its input.
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.input ?? "");
  let ended = false;
  const exited = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once("exit", (code, signal) => {
      ended = true;
      resolve(code ?? signal ?? -1);
    });
  });
  // `close` fires when the last holder of stdout and stderr has ended, including descendants.
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  return {
    pid,
    stdout: printed(child, "stdout"),
    stderr: printed(child, "stderr"),
    exited,
    async stop() {
      if (running.delete(pid)) {
        const killed = ended ? killGroup(pid) : killTree(pid);
        if (killed.length > 1) await Promise.race([exited, sleep(200, undefined, { ref: false })]);
        kill(pid);
        await exited;
        await Promise.race([closed, sleep(2_000, undefined, { ref: false })]);
        while (killed.some(isAlive)) await sleep(5);
      }
    },
    stopDescendants(depth) {
      for (const [descendant, generation] of descendants(pid)) if (generation >= depth) kill(descendant);
    },
    signalDescendants(signal, wanted) {
      const matching = descendants(pid).filter(([descendant]) => wanted.test(commandLine(descendant)));
      for (const [descendant] of matching) kill(descendant, signal);
      return matching.length;
    },
  };
}

/** Runs a program to its end and returns its standard output. Throws with its standard error if it fails. */
export async function run(command: string, args: readonly string[], options: LaunchOptions = {}): Promise<string> {
  const process = await launch(command, args, options);
  const code = await process.exited;
  await process.stop();
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}: ${process.stderr.text()}`);
  return process.stdout.text();
}

function printed(child: ChildProcess, name: "stdout" | "stderr"): Printed {
  let text = "";
  let closed = false;
  const checks = new Set<() => void>();
  const stream = child[name];
  stream?.setEncoding("utf8");
  stream?.on("data", (chunk: string) => {
    text += chunk;
    for (const check of checks) check();
  });
  stream?.once("close", () => {
    closed = true;
    for (const check of checks) check();
  });
  return {
    text: () => text,
    waitFor: (pattern, timeoutMs = 10_000) =>
      new Promise((resolve, reject) => {
        const fail = (why: string): void => {
          finish();
          reject(new Error(`${why} before ${name} had ${pattern}; it was:\n${text}`));
        };
        const timer = setTimeout(() => fail(`${timeoutMs} ms passed`), timeoutMs);
        const check = (): void => {
          const match = text.match(pattern);
          if (match) {
            finish();
            resolve(match);
          } else if (closed) fail("the process ended");
        };
        const finish = (): void => {
          clearTimeout(timer);
          checks.delete(check);
        };
        checks.add(check);
        check();
      }),
  };
}

/**
 * Kills the descendants of a process, also outside its process group (sshd's sessions leave it), and the process itself
 * if it has none. A process with children gets the time to reap them, because a container may have no init.
 */
function killTree(pid: number): number[] {
  // A stopped process cannot start another child meanwhile.
  kill(pid, "SIGSTOP");
  const below = descendants(pid).map(([descendant]) => descendant);
  for (const one of below) kill(one);
  kill(pid, below.length > 0 ? "SIGCONT" : "SIGKILL");
  return [pid, ...below];
}

/** After the leader has ended its children have another parent, but those in its process group can be found. */
function killGroup(group: number): number[] {
  const members = processes().filter((one) => one.group === group);
  const all = members.flatMap(({ pid }) => [pid, ...descendants(pid).map(([descendant]) => descendant)]);
  for (const one of all) kill(one);
  return all;
}

function kill(pid: number, signal: NodeJS.Signals = "SIGKILL"): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}

/** Returns false for a zombie. */
function isAlive(pid: number): boolean {
  return processes().some((one) => one.pid === pid && one.state !== "Z");
}

/** Returns process ids with the generation: 1 for children, 2 for their children. */
function descendants(pid: number): [pid: number, generation: number][] {
  const all = processes();
  const found: [number, number][] = [[pid, 0]];
  for (const [parent, generation] of found) {
    for (const one of all) if (one.parent === parent) found.push([one.pid, generation + 1]);
  }
  return found.slice(1);
}

/** Returns the command line as `ps` shows it. A server may have set a title. */
function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ").trim();
  } catch {
    return "";
  }
}

interface ProcessEntry {
  readonly pid: number;
  readonly state: string;
  readonly parent: number;
  readonly group: number;
}

function processes(): ProcessEntry[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, "latin1");
        const [state = "", parent, group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        return [{ pid: Number(name), state, parent: Number(parent), group: Number(group) }];
      } catch {
        return [];
      }
    });
}
