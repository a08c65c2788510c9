/** WebAssembly of our own: what `node scripts/assemble.mjs` made of a `.wat`. @module */
import { type Bytes, fromBase64 } from "@postern/wire";

/** What a module exports, and its memory as bytes. */
export interface Wasm<Exports> {
  readonly exports: Exports;
  readonly memory: Bytes;
}

/** @throws Error where the platform has no WebAssembly, or compiles none at run time */
export function instantiate<Exports>(code: string): Wasm<Exports> {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(fromBase64(code) as Uint8Array<ArrayBuffer>));
  const { memory } = exports as unknown as { readonly memory: { readonly buffer: ArrayBuffer } };
  return { exports: exports as Exports, memory: new Uint8Array(memory.buffer) };
}
