/** Instantiates a module that `node scripts/assemble.mjs` assembled from `.wat` files. @module */
import { type Bytes, fromBase64 } from "@postern/wire";

/** The exports of a module, and its memory as bytes. */
export interface Wasm<Exports> {
  readonly exports: Exports;
  readonly memory: Bytes;
}

/** @throws Error if the platform has no WebAssembly or forbids compiling it */
export function instantiate<Exports>(code: string): Wasm<Exports> {
  return instanceOf(new WebAssembly.Module(fromBase64(code)));
}

/**
 * Instantiates a module that the platform has compiled. Its type is `object`, because not every program that uses our
 * declarations has those of WebAssembly.
 */
export function instanceOf<Exports>(module: object): Wasm<Exports> {
  const { exports } = new WebAssembly.Instance(module as WebAssembly.Module);
  const { memory } = exports as unknown as { readonly memory: { readonly buffer: ArrayBuffer } };
  return { exports: exports as Exports, memory: new Uint8Array(memory.buffer) };
}
