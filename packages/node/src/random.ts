/** Random bytes from `node:crypto`. @module */
import { randomFillSync } from "node:crypto";
import type { Random } from "@postern/crypto";
import type { Bytes } from "@postern/wire";

const poolSize = 8192;
let pool: Bytes = new Uint8Array(0);
let poolAt = 0;

/** The operating system's randomness, drawn in batches. Returns copies and wipes them from the batch. */
export const nodeRandom: Random = (size) => {
  if (size > poolSize / 8) return randomFillSync(new Uint8Array(size));
  if (poolAt + size > pool.length) {
    pool = randomFillSync(new Uint8Array(poolSize));
    poolAt = 0;
  }
  const bytes = pool.slice(poolAt, poolAt + size);
  pool.fill(0, poolAt, poolAt + size);
  poolAt += size;
  return bytes;
};
