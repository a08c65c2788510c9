/** GHASH (NIST SP 800-38D section 6.4) in WebAssembly. ghash.wat contains the arithmetic. @module */
import { code } from "./ghash-code.ts";
import { instantiate, type Wasm } from "./wasm.ts";

/** The functions that ghash.wat exports. */
export interface GhashExports {
  /** Hashes the blocks from byte 32 to `end` with the hash key at byte 0, and writes the result to byte 16. */
  ghash(end: number): void;
}

let shared: Wasm<GhashExports> | undefined;

/**
 * Returns the instance that all connections share. Its memory contains no state between calls.
 * @throws Error if the platform has no WebAssembly or forbids compiling it
 */
export function ghash(): Wasm<GhashExports> {
  shared ??= instantiate(code);
  return shared;
}
