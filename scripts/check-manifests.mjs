/**
 * Compares the manifest of each package with the fields that package.json of the workspace states once: version,
 * licence, repository and the like. `--write` corrects the manifests.
 * @module
 */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { commonKeywords, isBundled, packages, readJson, sharedFields } from "./lib/packages.mjs";
import { root } from "./lib/run.mjs";

const write = process.argv.includes("--write");
const workspace = readJson("package.json");
const wrong = [];

for (const { folder, manifest } of packages({ all: true })) {
  const fields = manifest.private ? { version: workspace.version } : sharedFields(workspace, folder);
  const differing = Object.keys(fields).filter((name) => !isDeepStrictEqual(manifest[name], fields[name]));
  if (write && differing.length > 0) {
    const text = `${JSON.stringify(arrange({ ...manifest, ...fields }), null, 2)}\n`;
    writeFileSync(join(root, "packages", folder, "package.json"), text);
  } else for (const name of differing) expect(folder, name, JSON.stringify(fields[name]), manifest[name]);
  if (!manifest.private) checkOwn(folder, manifest);
}

for (const line of wrong) console.error(line);
if (wrong.length > 0) {
  console.error(
    "check-manifests: change package.json of the workspace, then: node scripts/check-manifests.mjs --write",
  );
  process.exit(1);
}
console.log(`check-manifests: ${packages().length} packages, version ${workspace.version}`);

/** Checks the fields that every package states for itself. */
function checkOwn(folder, { description, keywords = [], files = [], exports = {} }) {
  if (!description) expect(folder, "description", "a text", description);
  const common = keywords.slice(0, commonKeywords.length);
  if (!isDeepStrictEqual(common, commonKeywords) || keywords.length === commonKeywords.length) {
    expect(folder, "keywords", `${commonKeywords.join(", ")} and at least one more`, keywords);
  }
  // A bundle needs no sources: its declarations are few, and it has no source maps.
  const required = isBundled(folder) ? ["README.md", "LICENSE"] : ["dist", "src", "README.md", "LICENSE"];
  for (const name of required) {
    if (!files.includes(name)) expect(folder, "files", name, files);
  }
  for (const [entry, conditions] of Object.entries(exports)) {
    if (entry === "./package.json") continue;
    // TypeScript takes the first condition that fits.
    // A file that is not TypeScript is its own source.
    const names = [...(entry.endsWith(".wasm") ? [] : ["@postern/source"]), "types", "default"];
    if (Object.keys(conditions).join() !== names.join()) {
      expect(folder, `exports["${entry}"]`, `the conditions ${names.join(", ")}`, conditions);
    }
  }
  if (!existsSync(join(root, "packages", folder, "README.md"))) expect(folder, "README.md", "a page", undefined);
}

function expect(folder, name, expected, got) {
  wrong.push(`packages/${folder}/package.json: ${name}: expected ${expected}, got ${JSON.stringify(got)}`);
}

/** Sorts the fields as a reader looks for them. */
function arrange(manifest) {
  const order = [
    ..."name version private description keywords license author homepage repository bugs funding type sideEffects".split(
      " ",
    ),
    ..."engines files exports publishConfig dependencies".split(" "),
  ];
  const names = [...order.filter((name) => name in manifest), ...Object.keys(manifest)];
  return Object.fromEntries([...new Set(names)].map((name) => [name, manifest[name]]));
}
