/** The WebAssembly modules of `packages/wasm`. @module */
import { readFileSync } from "node:fs";
import loadWabt from "wabt";

const sources = new URL("../../packages/wasm/src/", import.meta.url);
/** Instructions beyond the first version of WebAssembly. */
const features = { bulk_memory: true, simd: true };

/** The files of each module, its memory in pages of 64 KiB, and whether it is published as a file. */
export const modules = {
  "chacha20-poly1305": { files: ["poly1305", "chacha20", "chacha20-poly1305"], pages: 5, isFile: false },
  "chacha20-poly1305-simd": { files: ["poly1305", "chacha20-simd", "chacha20-poly1305"], pages: 5, isFile: true },
  ghash: { files: ["ghash"], pages: 1, isFile: false },
};

/** Returns the bytes of a module. */
export async function assembled(name) {
  const { files, pages } = modules[name];
  const parts = files.map((file) => readFileSync(new URL(`${file}.wat`, sources), "utf8"));
  const wabt = await loadWabt();
  const module = wabt.parseWat(
    `${name}.wat`,
    `(module (memory (export "memory") ${pages})\n${parts.join("\n")})`,
    features,
  );
  module.validate();
  return Buffer.from(module.toBinary({}).buffer);
}
