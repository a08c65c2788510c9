/**
 * Assembles each `*.wat` in `packages/wasm/src` into a `*-code.ts`: `node scripts/assemble.mjs`. A test compares both.
 * @module
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import loadWabt from "wabt";

const folder = new URL("../packages/wasm/src/", import.meta.url);
const wabt = await loadWabt();
for (const file of readdirSync(folder).filter((name) => name.endsWith(".wat"))) {
  const module = wabt.parseWat(file, readFileSync(new URL(file, folder), "utf8"), { bulk_memory: true });
  module.validate();
  const base64 = Buffer.from(module.toBinary({}).buffer).toString("base64");
  const lines = base64.match(/.{1,120}/g).map((line) => `  "${line}"`);
  writeFileSync(
    new URL(file.replace(/\.wat$/, "-code.ts"), folder),
    `/** What \`node scripts/assemble.mjs\` makes of ${file}. @module */\n\nexport const code: string =\n${lines.join(" +\n")};\n`,
  );
}
