/** Packs the packages as for publishing. @module */
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { isBundled, packages } from "./packages.mjs";
import { pnpm, root, run } from "./run.mjs";

/**
 * Builds and packs the published packages into an empty folder. pnpm replaces `workspace:^` by the version, and adds
 * the LICENSE of the workspace, which npm does not.
 *
 * @returns the folder, the name, the file, its size and the manifest inside of each package
 * @throws Error if a package cannot be built or packed
 */
export function packAll(pack) {
  rmSync(pack, { recursive: true, force: true });
  mkdirSync(pack, { recursive: true });
  if (run("node", ["scripts/build.mjs"]) !== 0) throw new Error("the packages do not build");
  const filters = packages().flatMap(({ manifest }) => ["--filter", manifest.name]);
  const log = ["--reporter", "silent"];
  if (pnpm([...log, "-r", ...filters, "pack", "--pack-destination", pack]) !== 0) {
    throw new Error("the packages cannot be packed");
  }
  return packages().map(({ folder, manifest: { name, version } }) => {
    const file = join(pack, `${name.replace("@", "").replace("/", "-")}-${version}.tgz`);
    if (!existsSync(file)) throw new Error(`expected the tarball ${file}, got none`);
    const unpacked = join(pack, "unpacked", folder);
    mkdirSync(unpacked, { recursive: true });
    // Relative, because tar of Windows takes a drive letter for a host name.
    if (run("tar", ["-xzf", `../../${file.slice(pack.length + 1)}`, "--strip-components=1"], { cwd: unpacked }) !== 0) {
      throw new Error(`${file} cannot be unpacked`);
    }
    const manifest = JSON.parse(readFileSync(join(unpacked, "package.json"), "utf8"));
    const bytes = statSync(file).size;
    return { folder, name, version, file, unpacked, manifest, bytes, bundled: isBundled(folder) };
  });
}

/**
 * Installs a package and the siblings that it needs, from their tarballs alone, in a new project with npm.
 * @throws Error if the installation fails
 */
export function installInto(project, wanted, tarballs) {
  const byName = new Map(tarballs.map((tarball) => [tarball.name, tarball]));
  const needed = new Set(wanted);
  // A set's iterator also visits what is added meanwhile.
  for (const name of needed) {
    for (const sibling of Object.keys(byName.get(name).manifest.dependencies ?? {})) {
      if (byName.has(sibling)) needed.add(sibling);
    }
  }
  mkdirSync(project, { recursive: true });
  const files = [...needed].map((name) => byName.get(name).file);
  const quiet = ["--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts", "--loglevel=error"];
  run("npm", ["init", "--yes", "--loglevel=silent"], { cwd: project, output: "ignore" });
  if (run("npm", ["install", ...quiet, ...files], { cwd: project, output: "ignore" }) !== 0) {
    throw new Error(`${wanted.join(", ")} cannot be installed`);
  }
}

/** The folder for tarballs and projects of the checks. */
export const packFolder = join(root, ".pack");
