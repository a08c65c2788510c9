/** Randomness is an argument everywhere; this is its type and the platform's own source. @module */
import type { Bytes } from "@postern/wire";

/** Gives `size` fresh random bytes, owned by the caller. */
export type Random = (size: number) => Bytes;

/** The Web Crypto source, present in every runtime we know. */
export const webRandom: Random = (size) => crypto.getRandomValues(new Uint8Array(size));
