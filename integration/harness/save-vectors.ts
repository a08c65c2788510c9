/** Writes files of `test-vectors/` from a test. @module */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../../test-vectors/generate/save.mjs", import.meta.url));

/** Where vectors come from. */
export interface VectorSource {
  readonly name: string;
  readonly version: string;
  readonly command: string;
  readonly licence: string;
}

/** Numbers the vectors, adds their flags, and writes `<kind>/<algorithm>.json`. */
export function saveVectors(file: {
  readonly kind: string;
  readonly algorithm: string;
  readonly sources: Readonly<Record<string, VectorSource>>;
  readonly vectors: readonly { readonly comment: string; readonly source: string }[];
}): void {
  execFileSync(process.execPath, [program], { input: JSON.stringify(file), stdio: ["pipe", "ignore", "inherit"] });
}
