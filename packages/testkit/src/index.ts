/** Tools for tests; never published. @module */
export * from "./chunkings.ts";
export * from "./fake-clock.ts";
export * from "./flip.ts";
export * from "./liar.ts";
export * from "./memory.ts";
export * from "./noise.ts";
export * from "./pipe-pair.ts";
export * from "./pipes.ts";
export * from "./promises.ts";
export * from "./seeded-random.ts";
export * from "./test-keys.ts";
export * from "./transcript.ts";
export * from "./vectors.ts";
export * from "./visitor-queue.ts";
