/**
 * Assembles the modules of `packages/wasm` from their `.wat` files: `node scripts/assemble.mjs`. Each becomes a
 * `*-code.ts`, and those for platforms that do not compile bytes a `*.wasm`, too. A test compares them with the
 * sources.
 * @module
 */
import { writeFileSync } from "node:fs";
// biome-ignore lint/correctness/useImportExtensions: it takes the declarations for the module.
import { assembled, modules } from "./lib/wasm-modules.mjs";

const folder = new URL("../packages/wasm/", import.meta.url);
for (const [name, { isFile }] of Object.entries(modules)) {
  const bytes = await assembled(name);
  const lines = bytes
    .toString("base64")
    .match(/.{1,120}/g)
    .map((line) => `  "${line}"`);
  writeFileSync(
    new URL(`src/${name}-code.ts`, folder),
    `/** What \`node scripts/assemble.mjs\` makes of the module ${name}. @module */\n\nexport const code: string =\n${lines.join(" +\n")};\n`,
  );
  if (isFile) writeFileSync(new URL(`${name}.wasm`, folder), bytes);
}
