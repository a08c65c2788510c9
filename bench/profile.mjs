/**
 * Prints the self time by function and by file, over all profiles.
 * `npm run bench -- --only bulk --only postern --profile DIR`, then `node bench/profile.mjs DIR/*.cpuprofile`
 * @module
 */
import { readFileSync } from "node:fs";

const byFunction = new Map();
const byFile = new Map();
let total = 0;

for (const file of process.argv.slice(2)) {
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, "utf8"));
  const names = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  for (const [i, id] of samples.entries()) {
    const { functionName, url, lineNumber } = names.get(id);
    if (functionName === "(idle)" || functionName === "(root)") continue;
    const us = timeDeltas[i] ?? 0;
    total += us;
    const where = shorten(url);
    add(byFunction, `${functionName || "(anonymous)"} ${where}${url === "" ? "" : `:${lineNumber + 1}`}`, us);
    add(byFile, where || functionName, us);
  }
}
if (total === 0) throw new Error("expected profiles with samples");
print("by function", byFunction, 30);
print("by file", byFile, 20);

function add(map, key, us) {
  map.set(key, (map.get(key) ?? 0) + us);
}

function print(title, map, count) {
  console.log(`\n${title}, of ${(total / 1e6).toFixed(2)} s busy`);
  for (const [name, us] of [...map].sort((a, b) => b[1] - a[1]).slice(0, count)) {
    console.log(`${((100 * us) / total).toFixed(1).padStart(6)} %  ${name}`);
  }
}

/** Returns `@postern/ssh driver.js`, or the name of a package or of a module of Node. */
function shorten(url) {
  const [, own, file] = /packages\/([^/]+)\/(?:dist|src)\/(.+)$/.exec(url) ?? [];
  if (own !== undefined) return `@postern/${own} ${file}`;
  return (
    /node_modules\/((?:@[^/]+\/)?[^/.][^/]*)\/(?!.*node_modules)/.exec(url)?.[1] ?? url.split("/").slice(-2).join("/")
  );
}
