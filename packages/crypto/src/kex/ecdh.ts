/** Elliptic curve Diffie-Hellman: `ecdh-sha2-nistp256`, `-nistp384`, `-nistp521` (RFC 5656 section 4). @module */
import { type Bytes, SshError, toSshError, Writer } from "@postern/wire";
import type { Hash, KexMethod, Random } from "../kex.ts";
import { checkPointForm, drawScalar, type NistCurve } from "../nist.ts";

/** An ephemeral key for one agreement. */
export interface EphemeralKey {
  readonly publicKey: Bytes;
  /** Returns the shared secret, big-endian (copies). Overwrites the private key. Throws for an invalid public value. */
  agree(theirPublic: Bytes): Bytes;
  /** Overwrites the private key. Absent if the platform stores the key and clears its memory itself. */
  discard?(): void;
}

/** A Diffie-Hellman group of a provider. */
export interface Group {
  /** @throws SshError `kex` if the form of the public value is wrong */
  check(publicKey: Bytes): void;
  generate(random: Random): EphemeralKey;
}

/**
 * Creates a key exchange from a provider's ECDH. `ephemeral` receives a private scalar. Its `agree` returns the x
 * coordinate and must throw for a point that is not on the curve (RFC 5656 section 4).
 */
export function createEcdh(curve: NistCurve, hash: Hash, ephemeral: (scalar: Bytes) => EphemeralKey): KexMethod {
  return createDiffieHellman(`ecdh-sha2-${curve.name}`, hash, {
    check: (publicKey) => checkPointForm(curve, publicKey, "kex"),
    generate: (random) => ephemeral(drawScalar(curve, random)),
  });
}

/**
 * Creates a key exchange from a group and a hash. K is hashed as an mpint (RFC 5656 section 4, RFC 8731 section 3),
 * except that of hybrids. A public value of wrong form is rejected before randomness is drawn.
 */
export function createDiffieHellman(
  name: string,
  hash: Hash,
  group: Group,
  encoding: "mpint" | "string" = "mpint",
): KexMethod {
  const agree = (key: EphemeralKey, theirPublic: Bytes): Bytes => {
    let shared: Bytes;
    try {
      shared = key.agree(theirPublic);
    } catch (error) {
      throw toSshError(error, "kex", `${name}: expected a public value of the group, got another value`);
    }
    const secret = new Writer(shared.length + 5)[encoding](shared).finish();
    shared.fill(0);
    return secret;
  };
  return {
    name,
    hash,
    start(random) {
      let key: EphemeralKey | undefined = group.generate(random);
      return {
        clientPublic: key.publicKey,
        finish(serverPublic) {
          if (key === undefined)
            throw new SshError("misuse", `${name}: expected one finish(), got another after finish() or discard()`);
          group.check(serverPublic);
          const own = key;
          key = undefined;
          return agree(own, serverPublic);
        },
        discard() {
          key?.discard?.();
          key = undefined;
        },
      };
    },
    respond(clientPublic, random) {
      group.check(clientPublic);
      const key = group.generate(random);
      return { serverPublic: key.publicKey, secret: agree(key, clientPublic) };
    },
  };
}
