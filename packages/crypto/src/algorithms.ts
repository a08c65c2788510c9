/** A set of algorithms. @module */
import type { Cipher } from "./cipher.ts";
import type { KexMethod } from "./kex.ts";
import type { Mac } from "./mac.ts";
import type { PublicKeyAlgorithm } from "./publickey.ts";

/** What one side offers in its KEXINIT (RFC 4253 section 7.1), best first in each list. */
export interface Algorithms {
  readonly kex: readonly KexMethod[];
  /** host keys we accept as a client */
  readonly hostKeys: readonly PublicKeyAlgorithm[];
  readonly ciphers: readonly Cipher[];
  readonly macs: readonly Mac[];
}
