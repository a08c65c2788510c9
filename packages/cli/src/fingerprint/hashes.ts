/** The hashes of fingerprints. @module */
import { UsageError } from "../help/usage-error.ts";

/** The hashes of `-E`. */
export const fingerprintHashes = ["md5", "sha256"] as const;

export type FingerprintHash = (typeof fingerprintHashes)[number];

/** @throws UsageError for the name of another hash. Letters may be of either case, as in ssh-keygen. */
export function parseHash(command: string, text: string): FingerprintHash {
  const found = fingerprintHashes.find((name) => name === text.toLowerCase());
  if (found === undefined)
    throw new UsageError(command, `expected the hash ${fingerprintHashes.join(" or ")}, got ${JSON.stringify(text)}`);
  return found;
}
