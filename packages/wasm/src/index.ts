/** Primitives in WebAssembly: faster than JavaScript wherever WebAssembly may be compiled. @module */
export * from "./ghash.ts";
export * from "./poly1305.ts";
