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

/** Returns the CPU time of the processes and of their children that have ended, in nanoseconds. */
export function familyCpuNs(pids: readonly number[]): number {
  // utime and stime of the children are in ticks of 10 ms, but their sum is exact (cputime_adjust of the kernel).
  const ended = pids.map((pid) => {
    const stat = read(`/proc/${pid}/stat`);
    const [userTicks = 0, systemTicks = 0] = stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .slice(13, 15)
      .map(Number);
    return (userTicks + systemTicks) * 1e7;
  });
  return cpuNs(pids) + ended.reduce((sum, ns) => sum + ns, 0);
}

/** Returns the memory in bytes. Each of several processes that share a page counts a part of it. */
export function proportionalBytes(pids: readonly number[]): number {
  let kib = 0;
  for (const pid of pids) kib += Number(/^Pss:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0);
  return kib * 1024;
}

/** Returns the memory that the machine can still give, in bytes. */
export function availableBytes(): number {
  return Number(/^MemAvailable:\s+(\d+) kB/m.exec(read("/proc/meminfo"))?.[1] ?? 0) * 1024;
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
