/** `curve25519-sha256`, RFC 8731. @module */
import { type Bytes, SshError } from "@postern/wire";
import type { Hash, KexMethod } from "../kex.ts";
import type { Random } from "../random.ts";
import { type EphemeralKey, type Group, makeDiffieHellman } from "./diffie-hellman.ts";

/**
 * Makes the key exchange of a platform's X25519 (RFC 7748 section 5). The private key is the 32 bytes that are drawn.
 *
 * A shared secret of zeros, which is what points of small order give, is refused (RFC 8731 section 3).
 */
export function createCurve25519(name: string, hash: Hash, ephemeral: (privateKey: Bytes) => EphemeralKey): KexMethod {
  const group: Group = {
    check(publicKey) {
      // RFC 8731 section 3.1: clients and servers MUST check the length.
      if (publicKey.length === 32) return;
      throw new SshError("kex", `${name}: expected a public value of 32 bytes, got ${publicKey.length}`);
    },
    generate(random: Random) {
      const key = ephemeral(random(32));
      return {
        publicKey: key.publicKey,
        discard: () => key.discard?.(),
        agree(theirPublic) {
          const shared = key.agree(theirPublic);
          let bits = 0;
          for (const byte of shared) bits |= byte;
          if (bits === 0) throw new SshError("kex", `${name}: expected a secret, got zeros`);
          return shared;
        },
      };
    },
  };
  return makeDiffieHellman(name, hash, group);
}
