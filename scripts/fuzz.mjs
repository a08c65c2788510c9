/**
 * `npm run fuzz -- --seconds N [--target NAME] [--seed TEXT]`: fuzzes every target in turn, or one. Keeps a crash in
 * `packages/<name>/test/crashes`, where a test repeats it.
 * @module
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { crashName, Fuzzer } from "./lib/fuzz/fuzzer.mjs";
import { loadTargets } from "./lib/fuzz/load.mjs";
import { root } from "./lib/run.mjs";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    target: { type: "string" },
    seed: { type: "string", default: String(Date.now()) },
  },
});
const seconds = Number(values.seconds);
const { targets, counters, files, literals } = await loadTargets();
const chosen = targets.filter(({ name }) => values.target === undefined || name === values.target);
if (!(seconds > 0) || chosen.length === 0) {
  console.error(`expected --seconds above 0, and --target to be one of ${targets.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}
console.log(`fuzz: ${chosen.length} targets, ${seconds} seconds in all, --seed ${values.seed}`);
let crashes = 0;
for (const target of chosen) crashes += await fuzz(target, (seconds * 1000) / chosen.length);
console.log(crashes === 0 ? "fuzz: no crash" : `fuzz: ${crashes} crashes`);
process.exitCode = crashes === 0 ? 0 : 1;

/** Fuzzes for a time. Returns the number of crashes, 0 or 1. */
async function fuzz(target, milliseconds) {
  const isOwn = (file) => target.sources.some((source) => file?.startsWith(source));
  const dictionary = [...literals].flatMap(([file, texts]) =>
    isOwn(file) ? [...texts].map((text) => new TextEncoder().encode(text)) : [],
  );
  counters.blocks.fill(0);
  const fuzzer = new Fuzzer(target, counters, { seed: values.seed, dictionary });
  const began = performance.now();
  const cpuBegan = process.cpuUsage();
  let crash = await fuzzer.begin();
  while (crash === undefined && performance.now() - began < milliseconds) crash = await fuzzer.run(20);
  const own = files.flatMap((file, block) => (isOwn(file) ? [block] : []));
  const covered = own.filter((block) => counters.blocks[block] === 1).length;
  const { user, system } = process.cpuUsage(cpuBegan);
  const perSecond = Math.round(fuzzer.executions / ((user + system) / 1e6));
  console.log(
    `${target.name.padEnd(18)} ${String(fuzzer.executions).padStart(8)} runs ${String(perSecond).padStart(6)} per CPU second ` +
      `${String(fuzzer.edges).padStart(5)} edges ${String(covered).padStart(4)} of ${own.length} blocks ` +
      `${String(fuzzer.inputs.length).padStart(4)} inputs`,
  );
  if (crash === undefined) return 0;
  const file = join(target.folder, crashName(target, crash.input));
  mkdirSync(target.folder, { recursive: true });
  writeFileSync(file, crash.input);
  console.error(`${target.name}: ${JSON.stringify(crash.problem)}\n  input: ${relative(root, file)}`);
  return 1;
}
