/**
 * Makes `packages/node/src/poly1305-code.ts` of the text beside it: `node scripts/assemble.mjs`. A test holds that the two agree.
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import loadWabt from "wabt";

const folder = new URL("../packages/node/src/", import.meta.url);
const wabt = await loadWabt();
const module = wabt.parseWat("poly1305.wat", readFileSync(new URL("poly1305.wat", folder), "utf8"), {
  bulk_memory: true,
});
module.validate();
const base64 = Buffer.from(module.toBinary({}).buffer).toString("base64");
const lines = base64.match(/.{1,120}/g).map((line) => `  "${line}"`);
writeFileSync(
  new URL("poly1305-code.ts", folder),
  `/** What \`node scripts/assemble.mjs\` makes of poly1305.wat. @module */\n\nexport const code: string =\n${lines.join(" +\n")};\n`,
);
