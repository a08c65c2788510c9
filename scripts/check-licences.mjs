/**
 * Checks the licence of every dependency, as pnpm reads it from the installed packages: what users install must be MIT,
 * the tools must be free software.
 * @module
 */
import { spawnSync } from "node:child_process";
import { licenceViolations } from "./lib/licences.mjs";
import { packages, readJson } from "./lib/packages.mjs";
import { root } from "./lib/run.mjs";

const names = packages().map(({ manifest }) => manifest.name);
const shipped = list(["--prod", ...names.flatMap((name) => ["--filter", name])]);
const all = list([]);
const wrong = licenceViolations(shipped, all);
for (const line of wrong) console.error(line);
console.log(
  `check-licences: ${shipped.length} dependencies of users, ${all.length} of all, ${wrong.length} violations`,
);
// No dependency at all would mean that pnpm printed something else.
process.exitCode = wrong.length > 0 || shipped.length === 0 ? 1 : 0;

function list(args) {
  const { packageManager } = readJson("package.json");
  const options = { cwd: root, encoding: "utf8", maxBuffer: 2 ** 26, shell: process.platform === "win32" };
  const { stdout } = spawnSync("npx", ["--yes", packageManager, "licenses", "list", "--json", "-r", ...args], options);
  const byLicence = JSON.parse(stdout);
  return Object.entries(byLicence).flatMap(([licence, found]) => found.map(({ name }) => ({ name, licence })));
}
