/** Compares the shipped bytes with the sources. */
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import loadWabt from "wabt";
import { code as ghash } from "../src/ghash-code.ts";
import { code as poly1305 } from "../src/poly1305-code.ts";

describe("assembled WebAssembly", () => {
  it.each([
    ["ghash.wat", ghash],
    ["poly1305.wat", poly1305],
  ])("equals %s", async (file, code) => {
    const wat = await readFile(new URL(`../src/${file}`, import.meta.url), "utf8");
    const wabt = await loadWabt();
    const { buffer } = wabt.parseWat(file, wat, { bulk_memory: true }).toBinary({});
    expect(code).toBe(Buffer.from(buffer).toString("base64"));
  });
});
