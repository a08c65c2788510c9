/** Primitives in WebAssembly, faster than JavaScript on platforms that allow compiling WebAssembly. @module */
export * from "./ghash.ts";
export * from "./poly1305.ts";
