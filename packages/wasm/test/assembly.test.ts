/** Compares the shipped bytes with the sources. */
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
// biome-ignore lint/correctness/useImportExtensions: it takes the declarations for the module.
import { assembled, modules } from "../../../scripts/lib/wasm-modules.mjs";

describe("assembled WebAssembly", () => {
  it.each(Object.entries(modules))("equals the sources of %s", async (name, { isFile }) => {
    const { code } = (await import(`../src/${name}-code.ts`)) as { readonly code: string };
    const bytes = await assembled(name);
    expect(code).toBe(bytes.toString("base64"));
    const file = new URL(`../${name}.wasm`, import.meta.url);
    if (isFile) expect(await readFile(file)).toEqual(bytes);
  });
});
