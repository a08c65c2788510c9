/**
 * Prepares or publishes a release.
 *
 * `npm run release -- minor` (or `major`, `patch`, `1.2.3`) sets the version of the workspace and of every package,
 * moves the notes in CHANGELOG.md, commits and tags. A maintainer pushes the tag, and the workflow runs
 * `npm run release -- current --publish`. Both fill `release/` with the tarballs, their checksums, the notes, and the
 * bill of materials (CycloneDX). `--dry-run` does all that in a copy, passes each package to `npm publish --dry-run`,
 * and changes nothing else.
 * @module
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { nextVersion, notesOf, releaseNotes } from "./lib/changelog.mjs";
import { readJson } from "./lib/packages.mjs";
import { root, run } from "./lib/run.mjs";
import { installInto, packAll } from "./lib/tarballs.mjs";

const [step, ...flags] = process.argv.slice(2);
const known = ["--dry-run", "--publish"];
const unknown = flags.find((flag) => !known.includes(flag));
if (step === undefined || step.startsWith("-") || unknown !== undefined) {
  fail(`expected major, minor, patch, current or a version, then ${known.join(" or ")}, got ${unknown ?? step}`);
}
const dryRun = flags.includes("--dry-run");
const publish = flags.includes("--publish");
const workspace = readJson("package.json");

try {
  if (dryRun && process.env.POSTERN_RELEASE_COPY === undefined) inCopy();
  else release();
} catch (error) {
  fail(error.message);
}

function release() {
  const version = nextVersion(workspace.version, step);
  const tag = `v${version}`;
  if (publish) {
    if (process.env.TAG !== tag) throw new Error(`expected the tag ${tag}, got ${process.env.TAG}`);
  } else if (!dryRun) {
    if (git("status", "--porcelain") !== "") throw new Error("expected a clean tree, got changes: commit them first");
    if (git("tag", "--list", tag) !== "") throw new Error(`expected no tag ${tag}, got one`);
  }
  if (step !== "current") setVersion(version);
  const tarballs = fill(version);
  for (const file of tarballs) {
    const provenance = publish && !dryRun ? ["--provenance"] : ["--dry-run", "--provenance=false"];
    if (!publish && !dryRun) break;
    const args = ["publish", file, "--access", "public", "--ignore-scripts", "--loglevel=error", ...provenance];
    if (run("npm", args, { output: "ignore" }) !== 0) throw new Error(`npm publish fails for ${basename(file)}`);
  }
  if (!publish && !dryRun) {
    git("commit", "--all", "--message", `release: ${version}`);
    git("tag", "--annotate", tag, "--message", `Postern ${version}`);
  }
  const done = dryRun ? "npm publish --dry-run passes for each" : publish ? "published" : `tagged ${tag}: push it`;
  console.log(`release: ${version}, ${tarballs.length} packages in release/; ${done}`);
}

/** Sets the version at its one place, and writes it from there to each manifest. */
function setVersion(version) {
  const manifest = readFileSync(join(root, "package.json"), "utf8");
  writeFileSync(join(root, "package.json"), manifest.replace(/^ {2}"version": ".*"/m, `  "version": "${version}"`));
  if (run("node", ["scripts/check-manifests.mjs", "--write"]) !== 0) throw new Error("the manifests are wrong");
  const file = join(root, "CHANGELOG.md");
  const date = new Date().toISOString().slice(0, 10);
  setConstant("packages/ssh/src/version.ts", "version", version);
  setConstant("packages/cli/src/release.ts", "releaseVersion", version);
  if (setConstant("packages/cli/src/release.ts", "releaseDate", date)) {
    // The man page names both.
    if (run("node", ["scripts/generate-docs.mjs"]) !== 0) throw new Error("the man page cannot be written");
  }
  writeFileSync(file, releaseNotes(readFileSync(file, "utf8"), { version, date, homepage: workspace.homepage }));
}

/** Sets the text of an exported constant. Returns false if there is no such file, as in a small workspace. */
function setConstant(path, name, value) {
  const file = join(root, path);
  if (!existsSync(file)) return false;
  const text = readFileSync(file, "utf8");
  const changed = text.replace(new RegExp(`^(export const ${name} = )".*";$`, "m"), `$1"${value}";`);
  if (changed === text && !text.includes(`"${value}"`))
    throw new Error(`${path}: expected the constant ${name}, got none`);
  writeFileSync(file, changed);
  return true;
}

/** Fills `release/`. Returns the tarballs. */
function fill(version) {
  const path = join(root, "release");
  const work = join(root, ".pack", "release");
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path);
  const packed = packAll(work);
  const tarballs = packed.map(({ file }) => {
    copyFileSync(file, join(path, basename(file)));
    return join(path, basename(file));
  });
  const project = join(work, "project");
  installInto(
    project,
    packed.map(({ name }) => name),
    packed,
  );
  writeSbom(project, version, join(path, `postern-${version}.cdx.json`));
  writeFileSync(join(path, "NOTES.md"), `${notesOf(readFileSync(join(root, "CHANGELOG.md"), "utf8"), version)}\n`);
  const sums = [...tarballs, join(path, `postern-${version}.cdx.json`)].map((file) => {
    return `${createHash("sha256").update(readFileSync(file)).digest("hex")}  ${basename(file)}\n`;
  });
  // `sha256sum --check SHA256SUMS` reads this.
  writeFileSync(join(path, "SHA256SUMS"), sums.join(""));
  return tarballs;
}

/** Lists what an installation of all packages consists of, with licences and the checksums of the tarballs. */
function writeSbom(project, version, file) {
  const manifest = JSON.parse(readFileSync(join(project, "package.json"), "utf8"));
  const { name, license } = workspace;
  writeFileSync(join(project, "package.json"), JSON.stringify({ ...manifest, name, version, license }));
  const options = ["--omit", "dev", "--output-reproducible", "--validate", "--mc-type", "library"];
  const args = [...options, "--spec-version", "1.6", "--output-format", "JSON", "--output-file", file];
  if (run("cyclonedx-npm", args, { cwd: project }) !== 0) throw new Error("the bill of materials cannot be made");
  // The tool leaves out the checksums of files, and depending on npm's settings, all.
  const bom = JSON.parse(readFileSync(file, "utf8"));
  const { packages } = JSON.parse(readFileSync(join(project, "node_modules", ".package-lock.json"), "utf8"));
  for (const component of bom.components) {
    const { value: path } = component.properties.find((property) => property.name === "cdx:npm:package:path");
    const [, base64] = /^sha512-(\S+)$/.exec(packages[path].integrity);
    component.hashes = [{ alg: "SHA-512", content: Buffer.from(base64, "base64").toString("hex") }];
  }
  writeFileSync(file, `${JSON.stringify(bom, null, 2)}\n`);
}

/** Runs this script on a copy of the files that Git knows, installed anew. Keeps only `release/`. */
function inCopy() {
  const copy = mkdtempSync(join(tmpdir(), "postern-release-"));
  try {
    for (const file of git("ls-files", "-co", "--exclude-standard", "-z").split("\0").filter(Boolean)) {
      cpSync(join(root, file), join(copy, file));
    }
    const only = ["--filter", ".", "--filter", "./packages/*", "--prefer-offline"];
    if (run("node", ["scripts/bootstrap.mjs", ...only], { cwd: copy, output: "ignore" }) !== 0) {
      throw new Error("the copy cannot be installed");
    }
    const env = { POSTERN_RELEASE_COPY: copy };
    const script = join(copy, "scripts", basename(fileURLToPath(import.meta.url)));
    if (run(process.execPath, [script, step, ...flags], { cwd: copy, env }) !== 0)
      throw new Error("the dry run failed");
    rmSync(join(root, "release"), { recursive: true, force: true });
    cpSync(join(copy, "release"), join(root, "release"), { recursive: true });
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function git(...args) {
  const { status, stdout, stderr } = spawnSync("git", args, { cwd: root, encoding: "utf8", maxBuffer: 2 ** 26 });
  if (status !== 0) throw new Error(`git ${args[0]}: ${stderr.trim()}`);
  return stdout.trim();
}

function fail(why) {
  console.error(`release: ${why}`);
  process.exit(1);
}
