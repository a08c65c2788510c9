/**
 * Hybrid key exchanges: a post-quantum KEM beside X25519 (draft-ietf-sshm-mlkem-hybrid-kex, RFC 9941). An attacker has
 * to break both.
 * @module
 */
import { type Bytes, concat, SshError, toSshError, Writer } from "@postern/wire";
import type { Hash, KexMethod, Random } from "../kex.ts";
import { x25519Group } from "./curve25519.ts";
import { createDiffieHellman, type EphemeralKey } from "./ecdh.ts";

/** A private key of a KEM, for one ciphertext. */
export interface KemKey {
  readonly publicKey: Bytes;
  /**
   * Returns the secret (copies) and overwrites the private key. An altered ciphertext results in another secret instead
   * of an error (FIPS 203 section 6.3). The exchange hash then differs, and with it the server's signature.
   */
  decapsulate(ciphertext: Bytes): Bytes;
  /** Overwrites the private key. Absent if the platform stores the key and clears its memory itself. */
  discard?(): void;
}

/** A key encapsulation mechanism of a provider. */
export interface Kem {
  /** bytes of a public key and of a ciphertext */
  readonly publicKeySize: number;
  readonly ciphertextSize: number;
  generate(random: Random): KemKey;
  /** Throws for an invalid public key, such as one with an unreduced coefficient (FIPS 203 section 7.2). */
  encapsulate(publicKey: Bytes, random: Random): { readonly ciphertext: Bytes; readonly secret: Bytes };
}

/** A provider's X25519, see `createCurve25519`. */
export type X25519 = (privateKey: Bytes) => EphemeralKey;

/**
 * Creates `mlkem768x25519-sha256` (draft-ietf-sshm-mlkem-hybrid-kex section 2.3) from a provider's SHA-256, ML-KEM-768
 * (FIPS 203) and X25519.
 */
export function createMlkem768X25519(sha256: Hash, mlkem768: Kem, x25519: X25519): KexMethod {
  return createHybrid("mlkem768x25519-sha256", sha256, mlkem768, x25519);
}

/**
 * Creates a hybrid of a KEM and X25519. The client's value is a public key of each, the server's a ciphertext and a
 * public key. K is the hash of both secrets, as a string and not as an mpint (draft-ietf-sshm-mlkem-hybrid-kex section
 * 2.4, RFC 9941 section 3).
 */
export function createHybrid(name: string, hash: Hash, kem: Kem, x25519: X25519): KexMethod {
  const group = x25519Group(name, x25519);
  const split = (value: Bytes, kemSize: number): readonly [Bytes, Bytes] => {
    const size = kemSize + 32;
    if (value.length === size) return [value.subarray(0, kemSize), value.subarray(kemSize)];
    throw new SshError("kex", `${name}: expected a public value of ${size} bytes, got ${value.length}`);
  };
  const combine = (kemSecret: Bytes, sharedSecret: Bytes): Bytes => {
    const both = concat(kemSecret, sharedSecret);
    for (const secret of [kemSecret, sharedSecret]) secret.fill(0);
    const combined = hash.digest(both);
    both.fill(0);
    return combined;
  };
  // A client uses a hybrid as it uses a group: one private key, one public value, one agreement.
  const client = createDiffieHellman(
    name,
    hash,
    {
      check: (serverPublic) => void split(serverPublic, kem.ciphertextSize),
      generate(random) {
        const kemKey = kem.generate(random);
        const key = group.generate(random);
        return {
          publicKey: concat(kemKey.publicKey, key.publicKey),
          agree(serverPublic) {
            const [ciphertext, publicKey] = split(serverPublic, kem.ciphertextSize);
            return combine(kemKey.decapsulate(ciphertext), key.agree(publicKey));
          },
          discard() {
            kemKey.discard?.();
            key.discard?.();
          },
        };
      },
    },
    "string",
  );
  return {
    ...client,
    isPostQuantum: true,
    respond(clientPublic, random) {
      const [kemPublic, publicKey] = split(clientPublic, kem.publicKeySize);
      try {
        const { ciphertext, secret } = kem.encapsulate(kemPublic, random);
        const key = group.generate(random);
        const combined = combine(secret, key.agree(publicKey));
        return {
          serverPublic: concat(ciphertext, key.publicKey),
          secret: new Writer(4 + hash.size).string(combined).finish(),
        };
      } catch (error) {
        throw toSshError(error, "kex", `${name}: expected a valid public key of the KEM, got another value`);
      }
    },
  };
}
