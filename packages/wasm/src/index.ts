/** Primitives in WebAssembly, faster than JavaScript on platforms that allow compiling WebAssembly. @module */
export { chacha20Poly1305, createChacha20Poly1305, scalarChacha20Poly1305 } from "./chacha20-poly1305.ts";
export * from "./ghash.ts";
export { compilesWebAssembly } from "./packet-module.ts";
export { poly1305 } from "./poly1305.ts";
