/**
 * Checks the licence of every dependency, as pnpm reads it from the installed packages: what users install must be MIT,
 * the tools must be free software.
 * @module
 */
import { spawnSync } from "node:child_process";
import { packages, readJson } from "./lib/packages.mjs";
import { root } from "./lib/run.mjs";

/** Licences of tools. None of their code is in a package. */
const tools = new Set(
  "MIT ISC MIT-0 0BSD Apache-2.0 BSD-2-Clause BSD-3-Clause BlueOak-1.0.0 Python-2.0 CC0-1.0 CC-BY-3.0 CC-BY-4.0 CC-BY-SA-4.0 MPL-2.0 Unlicense WTFPL".split(
    " ",
  ),
);
/** Word lists of the spelling check, whose licence has no SPDX name. */
const known = new Map([["@cspell/dict-en-common-misspellings", "CC-BY-SA-4.0"]]);

const names = packages().map(({ manifest }) => manifest.name);
const shipped = list(["--prod", ...names.flatMap((name) => ["--filter", name])]);
const all = list([]);
const wrong = [
  ...shipped.filter(({ licence }) => licence !== "MIT"),
  ...all.filter(({ name, licence }) => !isFree(known.get(name) ?? licence)),
];
for (const { name, licence } of wrong) console.error(`${name}: ${licence} is not among the accepted licences`);
console.log(
  `check-licences: ${shipped.length} dependencies of users, ${all.length} of all, ${wrong.length} violations`,
);
// No dependency at all would mean that pnpm printed something else.
process.exitCode = wrong.length > 0 || shipped.length === 0 ? 1 : 0;

/** `(MIT OR GPL-3.0)` is free if one is, `MIT AND ISC` if both are. */
function isFree(licence) {
  return licence
    .replaceAll(/[()]/g, "")
    .split(" OR ")
    .some((choice) => choice.split(" AND ").every((one) => tools.has(one)));
}

function list(args) {
  const { packageManager } = readJson("package.json");
  const options = { cwd: root, encoding: "utf8", maxBuffer: 2 ** 26, shell: process.platform === "win32" };
  const { stdout } = spawnSync("npx", ["--yes", packageManager, "licenses", "list", "--json", "-r", ...args], options);
  const byLicence = JSON.parse(stdout);
  return Object.entries(byLicence).flatMap(([licence, found]) => found.map(({ name }) => ({ name, licence })));
}
