/** Floor 1: algorithms as values. @module */
export type * from "./cipher.ts";
export type * from "./hostkey.ts";
export type * from "./kex.ts";
export type * from "./mac.ts";
export * from "./random.ts";
