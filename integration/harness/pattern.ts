/** A long stream of bytes that both ends of a test can generate. @module */
import { createCipheriv, createHash } from "node:crypto";
import { Readable } from "node:stream";

const chunkSize = 65_536;

/** Yields the first `size` bytes of the stream of `seed`: AES-128-CTR over zeros. */
export function* patternChunks(size: number, seed = 1): Generator<Uint8Array> {
  const key = new Uint8Array(16);
  new DataView(key.buffer).setUint32(0, seed);
  const cipher = createCipheriv("aes-128-ctr", key, new Uint8Array(16));
  const zeros = new Uint8Array(chunkSize);
  for (let left = size; left > 0; left -= chunkSize) yield cipher.update(zeros.subarray(0, Math.min(left, chunkSize)));
}

/** Returns the pattern as a Node stream. */
export function patternStream(size: number, seed = 1): Readable {
  return Readable.from(patternChunks(size, seed), { objectMode: false, highWaterMark: chunkSize });
}

/** Returns the SHA-256 of the pattern in hex. */
export function patternHash(size: number, seed = 1): string {
  const hash = createHash("sha256");
  for (const chunk of patternChunks(size, seed)) hash.update(chunk);
  return hash.digest("hex");
}
