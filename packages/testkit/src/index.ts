/** Tools of the tests; never shipped. @module */
export * from "./chunkings.ts";
export * from "./fake-clock.ts";
export * from "./flip.ts";
export * from "./liar.ts";
export * from "./noise.ts";
export * from "./pipe-pair.ts";
export * from "./seeded-random.ts";
export * from "./transcript.ts";
export * from "./vectors.ts";
export * from "./visitor-queue.ts";
