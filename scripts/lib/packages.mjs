/** The published packages, and the fields that their manifests share. @module */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./run.mjs";

/** Reads a JSON file of the workspace. */
export function readJson(...path) {
  return JSON.parse(readFileSync(join(root, ...path), "utf8"));
}

/** Returns the folder and the manifest of each package, sorted by folder. Private packages only with `all`. */
export function packages({ all = false } = {}) {
  return readdirSync(join(root, "packages"))
    .sort()
    .map((folder) => ({ folder, manifest: readJson("packages", folder, "package.json") }))
    .filter(({ manifest }) => all || !manifest.private);
}

/** Returns whether a package contains the code of the packages that it imports. */
export function isBundled(folder) {
  return readJson("scripts", "floors.json")[folder]?.bundled === true;
}

/** Returns the fields that each published manifest must have. The root's package.json is their only source. */
export function sharedFields(workspace, folder) {
  const { version, license, author, homepage, repository, bugs, funding, engines } = workspace;
  return {
    version,
    license,
    author,
    homepage: `${homepage}/tree/main/packages/${folder}#readme`,
    repository: { ...repository, directory: `packages/${folder}` },
    bugs,
    funding,
    sideEffects: false,
    engines: { node: engines.node },
    publishConfig: { access: "public", provenance: true },
  };
}

/** Every keyword list begins with these. */
export const commonKeywords = ["ssh", "ssh2", "typescript"];
