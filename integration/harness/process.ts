/** Processes of the tests: started here, stopped with everything they started, also when the test process dies. @module */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { atExit } from "./at-exit.ts";

/** What a process printed so far, and a way to wait for a line of it. */
export interface Printed {
  readonly text: () => string;
  /** Waits until the text matches; throws with all of the text when the time is over or the process ended without it. */
  readonly waitFor: (pattern: RegExp, timeoutMs?: number) => Promise<RegExpMatchArray>;
}

export interface Running {
  readonly pid: number;
  readonly stdout: Printed;
  readonly stderr: Printed;
  /** The exit code, or the name of the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>;
  /** Kills the process and all its descendants; resolves when they are gone. */
  stop(): Promise<void>;
  /** Kills the descendants that `pid` has below `depth` generations, and leaves the rest running. */
  stopDescendants(depth: number): void;
  /** Sends a signal to the descendants whose command line matches; gives how many they are. */
  signalDescendants(signal: NodeJS.Signals, commandLine: RegExp): number;
}

export interface LaunchOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** A command line that ends by running the one behind it, such as `unshare`. */
  readonly prefix?: readonly string[];
}

const running = new Set<number>();

atExit(() => {
  for (const pid of running) {
    killTree(pid);
    kill(pid);
  }
});

/** Starts a program. It dies with this process even if this process is killed (`setpriv --pdeathsig`, Linux). */
export async function launch(command: string, args: readonly string[], options: LaunchOptions = {}): Promise<Running> {
  const child = spawn("setpriv", ["--pdeathsig", "KILL", ...(options.prefix ?? []), command, ...args], {
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
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
  // `close` comes when the last holder of stdout and stderr is gone, the descendants included.
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
      const meant = descendants(pid).filter(([descendant]) => wanted.test(commandLine(descendant)));
      for (const [descendant] of meant) kill(descendant, signal);
      return meant.length;
    },
  };
}

/** Runs a program to its end and gives its standard output; throws with its standard error when it fails. */
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
 * Kills the descendants of a process, wherever they put themselves (sshd's sessions leave the process group), and the process
 * itself if it has none. One that has gets the chance to reap its children: a container may have no init to do it.
 */
function killTree(pid: number): number[] {
  // Stopped first, the process cannot start another child while we look.
  kill(pid, "SIGSTOP");
  const below = descendants(pid).map(([descendant]) => descendant);
  for (const one of below) kill(one);
  kill(pid, below.length > 0 ? "SIGCONT" : "SIGKILL");
  return [pid, ...below];
}

/** The leader is gone, so its children have another parent; those that stayed in its process group are still found. */
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
    // It ended by itself.
  }
}

/** False for a zombie: it holds nothing but its number. */
function isAlive(pid: number): boolean {
  return processes().some((one) => one.pid === pid && one.state !== "Z");
}

/** Process ids with the generation: 1 for children, 2 for their children. */
function descendants(pid: number): [pid: number, generation: number][] {
  const all = processes();
  const found: [number, number][] = [[pid, 0]];
  for (const [parent, generation] of found) {
    for (const one of all) if (one.parent === parent) found.push([one.pid, generation + 1]);
  }
  return found.slice(1);
}

/** What `ps` would show; a server may have put a title there. */
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
