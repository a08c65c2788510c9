/** `curve25519-sha256` (RFC 8731). @module */
import { type Bytes, SshError } from "@postern/wire";
import type { Hash, KexMethod } from "../kex.ts";
import { createDiffieHellman, type EphemeralKey, type Group } from "./ecdh.ts";

/**
 * Creates the key exchange from a provider's X25519 (RFC 7748 section 5). `ephemeral` receives a private key of 32
 * random bytes. Rejects an all-zero secret, which results from points of small order (RFC 8731 section 3).
 */
export function createCurve25519(name: string, hash: Hash, ephemeral: (privateKey: Bytes) => EphemeralKey): KexMethod {
  return createDiffieHellman(name, hash, x25519Group(name, ephemeral));
}

/** The group of X25519, for the key exchange of that name and for hybrids. */
export function x25519Group(name: string, ephemeral: (privateKey: Bytes) => EphemeralKey): Group {
  return {
    check(publicKey) {
      // RFC 8731 section 3.1: clients and servers MUST check the length.
      if (publicKey.length === 32) return;
      throw new SshError("kex", `${name}: expected a public value of 32 bytes, got ${publicKey.length}`);
    },
    generate(random) {
      const key = ephemeral(random(32));
      return {
        publicKey: key.publicKey,
        discard: () => key.discard?.(),
        agree(theirPublic) {
          const shared = key.agree(theirPublic);
          let bits = 0;
          for (const byte of shared) bits |= byte;
          if (bits === 0) throw new SshError("kex", `${name}: expected a shared secret, got zeros`);
          return shared;
        },
      };
    },
  };
}
