/** Runs the tools of the workspace without a package manager. @module */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the workspace. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Returns the environment with the tools of the workspace on its path, and these variables. It has none of npm's,
 * because pnpm would read them as its own settings.
 */
export function toolEnvironment(env = {}) {
  const others = Object.entries(process.env).filter(([name]) => !/^npm_(config|package|lifecycle)_/i.test(name));
  const path = [join(root, "node_modules", ".bin"), process.env.PATH].join(delimiter);
  return { ...Object.fromEntries(others), PATH: path, ...env };
}

/** Runs a program with the tools of the workspace on its path. Returns the exit code. `output` is that of `stdio`. */
export function run(command, args, { cwd = root, env = {}, output = "inherit" } = {}) {
  const { status, error } = spawnSync(command, args, {
    cwd,
    env: toolEnvironment(env),
    stdio: ["ignore", output, "inherit"],
    shell: process.platform === "win32",
  });
  if (error) console.error(`${command}: ${error.message}`);
  return status ?? 1;
}

/** Runs the pnpm that package.json pins. */
export function pnpm(args, options) {
  const { packageManager } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return run("npx", ["--yes", packageManager, ...args], options);
}
