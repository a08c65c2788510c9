/** Builds the `dist` of every package, with nothing in it that has no source any more. @module */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "./lib/run.mjs";

const packages = fileURLToPath(new URL("../packages/", import.meta.url));

for (const name of readdirSync(packages)) tidy(join(packages, name));
process.exitCode = run("tsc", ["-b", "tsconfig.build.json"]);

/** The compiler neither removes the output of a deleted source nor makes a deleted output again. */
function tidy(folder) {
  const [src, dist] = [join(folder, "src"), join(folder, "dist")];
  if (!existsSync(dist)) return;
  for (const name of readdirSync(dist, { recursive: true })) {
    const [, stem] = /^(.+?)\.(js|d\.ts)(\.map)?$/.exec(name) ?? [];
    if (stem !== undefined && !existsSync(join(src, `${stem}.ts`))) rmSync(join(dist, name));
  }
  const stems = readdirSync(src, { recursive: true }).flatMap((name) => /^(.+)(?<!\.d)\.ts$/.exec(name)?.[1] ?? []);
  const whole = stems.every((stem) => [".js", ".d.ts"].every((ending) => existsSync(join(dist, stem + ending))));
  if (!whole) rmSync(join(dist, ".tsbuildinfo"), { force: true });
}
