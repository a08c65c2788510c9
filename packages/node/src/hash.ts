/** SHA-2 (FIPS 180-4) over `node:crypto`. @module */
import { createHash } from "node:crypto";
import type { Hash } from "@postern/crypto";
import type { Bytes } from "@postern/wire";

export const sha256: Hash = { name: "sha256", size: 32, digest: (data) => digest("sha256", data) };
export const sha384: Hash = { name: "sha384", size: 48, digest: (data) => digest("sha384", data) };
export const sha512: Hash = { name: "sha512", size: 64, digest: (data) => digest("sha512", data) };

function digest(hash: string, data: Bytes): Bytes {
  return plain(createHash(hash).update(data).digest());
}

/** Returns a plain view, because `slice` of a Buffer does not copy. */
export function plain(buffer: Buffer): Bytes {
  return new Uint8Array(buffer.buffer as ArrayBuffer, buffer.byteOffset, buffer.length);
}
