/** Facts about processes from the kernel (Linux). @module */
import { readdirSync, readFileSync } from "node:fs";

/** Returns the CPU time of all threads so far, in nanoseconds. */
export function cpuNs(pids: readonly number[]): number {
  let sum = 0;
  for (const pid of pids) {
    for (const thread of list(`/proc/${pid}/task`)) {
      sum += Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(" ")[0] ?? 0);
    }
  }
  return sum;
}

/** Returns the resident memory in bytes. */
export function residentBytes(pid: number): number {
  const [, kib = "0"] = /^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`)) ?? [];
  return Number(kib) * 1024;
}

/** Returns the processes whose command line contains the text, and all their descendants. */
export function familyOf(text: string): number[] {
  return withDescendants(({ pid }) => read(`/proc/${pid}/cmdline`).includes(text));
}

/** Returns the children of a process. */
export function childrenOf(parent: number): number[] {
  return processes().flatMap((one) => (one.parent === parent ? [one.pid] : []));
}

/** Returns the processes that match, and all their descendants. */
export function withDescendants(matches: (process: Process) => boolean): number[] {
  const all = processes().filter(({ pid }) => pid !== process.pid);
  const found = new Set(all.filter(matches).map(({ pid }) => pid));
  for (let grown = true; grown; ) {
    grown = false;
    for (const { pid, parent } of all) {
      if (found.has(parent) && !found.has(pid)) {
        found.add(pid);
        grown = true;
      }
    }
  }
  return [...found];
}

interface Process {
  readonly pid: number;
  readonly parent: number;
}

function processes(): readonly Process[] {
  return list("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => {
      const stat = read(`/proc/${name}/stat`);
      return { pid: Number(name), parent: Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) };
    });
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}
