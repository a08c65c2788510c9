/** The sets of algorithms in pure JavaScript, in order of preference. @module */
import type { Algorithms } from "@postern/crypto";
import { aes128Ctr, aes192Ctr, aes256Ctr } from "./aes-ctr.ts";
import { aes128Gcm, aes256Gcm } from "./aes-gcm.ts";
import { chacha20Poly1305 } from "./chacha20-poly1305.ts";
import { curve25519Sha256, curve25519Sha256Libssh } from "./kex/curve25519.ts";
import { ecdhNistp256, ecdhNistp384, ecdhNistp521 } from "./kex/ecdh.ts";
import { mlkem768X25519Sha256 } from "./kex/mlkem.ts";
import { dhGroup14Sha256, dhGroup16Sha512, dhGroup18Sha512, dhGroupExchangeSha256 } from "./kex/modp.ts";
import { sntrup761X25519Sha512, sntrup761X25519Sha512OpenSsh } from "./kex/sntrup.ts";
import { hmacSha2_256, hmacSha2_256Etm, hmacSha2_512, hmacSha2_512Etm } from "./mac.ts";
import { ecdsaNistp256, ecdsaNistp384, ecdsaNistp521 } from "./publickey/ecdsa.ts";
import { sshEd25519 } from "./publickey/ed25519.ts";
import { rsaSha2_256, rsaSha2_512 } from "./publickey/rsa.ts";

/** The default: AEAD ciphers only. In JavaScript, ChaCha20-Poly1305 is three times as fast as AES-GCM. */
export const modernAlgorithms: Algorithms = {
  kex: [
    mlkem768X25519Sha256,
    sntrup761X25519Sha512,
    sntrup761X25519Sha512OpenSsh,
    curve25519Sha256,
    curve25519Sha256Libssh,
  ],
  hostKeys: [sshEd25519, rsaSha2_512, rsaSha2_256],
  ciphers: [chacha20Poly1305, aes256Gcm, aes128Gcm],
  macs: [hmacSha2_256Etm, hmacSha2_512Etm],
};

/**
 * For older peers: {@link modernAlgorithms}, NIST curves, Diffie-Hellman groups, AES-CTR, MACs over plaintext. ECDSA is
 * where OpenSSH has it, before RSA.
 */
export const compatibleAlgorithms: Algorithms = /* @__PURE__ */ append(modernAlgorithms, {
  kex: [
    ecdhNistp256,
    ecdhNistp384,
    ecdhNistp521,
    dhGroup16Sha512,
    dhGroup18Sha512,
    dhGroupExchangeSha256,
    dhGroup14Sha256,
  ],
  hostKeys: [sshEd25519, ecdsaNistp256, ecdsaNistp384, ecdsaNistp521, rsaSha2_512, rsaSha2_256],
  ciphers: [aes256Ctr, aes192Ctr, aes128Ctr],
  macs: [hmacSha2_256, hmacSha2_512],
});

/**
 * Appends all lists but that of host keys. A function, because bundlers omit unused calls that are marked pure, but
 * keep spread expressions.
 */
function append(first: Algorithms, then: Algorithms): Algorithms {
  return {
    kex: [...first.kex, ...then.kex],
    hostKeys: then.hostKeys,
    ciphers: [...first.ciphers, ...then.ciphers],
    macs: [...first.macs, ...then.macs],
  };
}
