// Installs the workspace with the pnpm pinned in package.json, so that `npm test` and
// `npm run demo` work on a machine that has only Node.js and npm.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

const root = new URL("..", import.meta.url);
const { packageManager } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));
// What npm exports to its scripts would reach pnpm as settings of its own.
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_(config|package|lifecycle)_/i.test(name)),
);
const { status } = spawnSync(
  "npx",
  ["--yes", packageManager, "install", "--frozen-lockfile", "--reporter=append-only"],
  { cwd: root, env, stdio: ["ignore", "inherit", "inherit"], shell: process.platform === "win32" },
);
process.exit(status ?? 1);
