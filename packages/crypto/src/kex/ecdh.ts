/** `ecdh-sha2-nistp256`, `-nistp384`, `-nistp521`: RFC 5656 section 4. @module */
import type { Bytes } from "@postern/wire";
import type { Hash, KexMethod } from "../kex.ts";
import { checkPointForm, drawScalar, type NistCurve } from "../nist.ts";
import { type EphemeralKey, makeDiffieHellman } from "./diffie-hellman.ts";

/**
 * Makes the key exchange of a platform's ECDH. `ephemeral` takes a private scalar; its `agree` must throw for a point
 * that is not on the curve (RFC 5656 section 4) and give the x coordinate.
 */
export function createEcdh(curve: NistCurve, hash: Hash, ephemeral: (scalar: Bytes) => EphemeralKey): KexMethod {
  return makeDiffieHellman(`ecdh-sha2-${curve.name}`, hash, {
    check: (publicKey) => checkPointForm(curve, publicKey, "kex"),
    generate: (random) => ephemeral(drawScalar(curve, random)),
  });
}
