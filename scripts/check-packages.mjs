/** Packs the packages as for publishing, and checks the tarballs with publint and attw. @module */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pnpm, root, run } from "./lib/run.mjs";

const pack = join(root, ".pack");
rmSync(pack, { recursive: true, force: true });
if (run("node", ["scripts/build.mjs"]) !== 0) fail("the packages do not build");

const shipped = readdirSync(join(root, "packages")).flatMap((folder) => {
  const { name, private: hidden } = JSON.parse(readFileSync(join(root, "packages", folder, "package.json"), "utf8"));
  return hidden ? [] : [name];
});
const filters = shipped.flatMap((name) => ["--filter", name]);
if (pnpm(["-r", ...filters, "pack", "--pack-destination", pack]) !== 0) fail("the packages cannot be packed");

const tarballs = readdirSync(pack).sort();
if (tarballs.length !== shipped.length) fail(`expected ${shipped.length} tarballs, got ${tarballs.length}`);
const bad = tarballs.filter((tarball) => {
  console.log(`-- ${tarball}`);
  const file = join(pack, tarball);
  const shape = run("publint", ["run", file, "--strict"]);
  // Without --quiet, attw prints a page about each correct package.
  const attw = [file, "--profile", "esm-only", "--format", "ascii"];
  const types = run("attw", [...attw, "--quiet"]) === 0 || run("attw", attw) === 0;
  return shape !== 0 || !types;
});
if (bad.length > 0) fail(bad.join(", "));
console.log(`check-packages: ${tarballs.length} packages`);

function fail(why) {
  console.error(`check-packages: ${why}`);
  process.exit(1);
}
