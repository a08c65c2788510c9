/** Inputs to begin with, from the test vectors. Node.js only; the working directory is the root. @module */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Bytes, fromHex } from "@postern/wire";

/** Returns the texts of the fields with these names in all vectors below `test-vectors/<folder>`, without repeats. */
export function vectorTexts(folder: string, fields: readonly string[]): string[] {
  const texts = new Set<string>();
  const wanted = new Set(fields);
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [name, inner] of Object.entries(value)) {
      if (wanted.has(name) && typeof inner === "string") texts.add(inner);
      else visit(inner);
    }
  };
  for (const file of jsonFiles(join("test-vectors", folder))) visit(JSON.parse(readFileSync(file, "utf8")));
  if (texts.size === 0) throw new Error(`expected vectors with ${fields.join(" or ")} in test-vectors/${folder}`);
  return [...texts];
}

/** As {@link vectorTexts}, for fields in hexadecimal. */
export function vectorBytes(folder: string, fields: readonly string[]): Bytes[] {
  return vectorTexts(folder, fields)
    .filter((text) => /^(?:[0-9a-f]{2})*$/.test(text))
    .map(fromHex);
}

function jsonFiles(path: string): string[] {
  if (!statSync(path).isDirectory()) return path.endsWith(".json") ? [path] : [];
  return readdirSync(path)
    .sort()
    .flatMap((name) => jsonFiles(join(path, name)));
}
