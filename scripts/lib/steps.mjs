/** Runs the steps of a long run: some alone, others at the same time, each with a log and a deadline. @module */
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { endGroup, startGroup } from "./groups.mjs";
import { root, toolEnvironment } from "./run.mjs";

/**
 * Returns the steps that `--only` and `--skip` leave, lists of names with commas.
 * @throws {Error} for a name that no step has
 */
export function chooseSteps(steps, { only, skip }) {
  const named = (list) => list?.split(",").map((name) => name.trim());
  for (const name of [...(named(only) ?? []), ...(named(skip) ?? [])]) {
    if (steps.some((step) => step.name === name)) continue;
    throw new Error(`expected one of ${steps.map((step) => step.name).join(", ")}, got ${name}`);
  }
  return steps.filter(({ name }) => (named(only)?.includes(name) ?? true) && !named(skip)?.includes(name));
}

/**
 * Runs steps in their order: one with `alone` while no other runs, the others up to `jobs` at the same time. A step has
 * a `name`, `commands` that run one after the other until one fails, `env`, and a limit in `minutes`. Its output is in
 * `<folder>/<name>.log`. Returns each name with its exit code and its time in seconds. `report` is called with lines
 * about the progress.
 */
export async function runSteps(steps, { folder, jobs, report }) {
  mkdirSync(folder, { recursive: true });
  const results = [];
  const running = new Set();
  const start = async (step) => {
    report(`${step.name}: started`);
    const log = join(folder, `${step.name}.log`);
    const began = performance.now();
    const code = await runStep(step, log);
    const seconds = (performance.now() - began) / 1000;
    results.push({ name: step.name, code, seconds });
    report(`${step.name}: ${code === 0 ? "passed" : "failed"} after ${duration(seconds)}, see ${log}`);
    if (code !== 0) report(lastLines(log));
  };
  for (const step of steps) {
    while (running.size >= (step.alone ? 1 : jobs)) await Promise.race(running);
    const done = start(step).finally(() => running.delete(done));
    running.add(done);
    if (step.alone) await done;
  }
  await Promise.all(running);
  return results;
}

/** Returns a table of the results, in Markdown. */
export function tableOf(results) {
  const rows = results.map(({ name, code, seconds }) => [name, code === 0 ? "passed" : "failed", duration(seconds)]);
  return [["step", "result", "time"], ["---", "---", "---"], ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

/** Returns a time such as `1 min 5 s`. */
function duration(seconds) {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

async function runStep({ commands, env = {}, minutes }, log) {
  const output = openSync(log, "w");
  try {
    for (const [command, ...args] of commands) {
      const code = await runBounded(command, args, { env, output, minutes });
      if (code !== 0) return code;
    }
    return 0;
  } finally {
    closeSync(output);
  }
}

/** Resolves with the exit code of a command, or with 124 if it was ended at its limit. */
function runBounded(command, args, { env, output, minutes }) {
  return new Promise((resolve) => {
    const stdio = ["ignore", output, output];
    const child = startGroup(command, args, { cwd: root, env: toolEnvironment(env), stdio, signal: "SIGTERM" });
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      endGroup(child, "SIGTERM");
      setTimeout(() => endGroup(child), 10_000).unref();
    }, minutes * 60_000);
    const end = (code) => {
      clearTimeout(timer);
      resolve(isLate ? 124 : code);
    };
    child.once("error", () => end(127));
    child.once("exit", (code) => end(code ?? 1));
  });
}

function lastLines(log) {
  return readFileSync(log, "utf8").trimEnd().split("\n").slice(-30).join("\n");
}
