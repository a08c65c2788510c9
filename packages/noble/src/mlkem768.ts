/** ML-KEM-768 (FIPS 203) in pure JavaScript. Exported alone too, so that Node.js need not load the rest. @module */
import { ml_kem768 } from "@noble/post-quantum/ml-kem.js";
import type { Kem } from "@postern/crypto";

/** ML-KEM-768 in pure JavaScript. Not constant-time, and not audited. */
export const mlkem768: Kem = {
  publicKeySize: 1184,
  ciphertextSize: 1088,
  generate(random) {
    const seed = random(64);
    const { publicKey, secretKey } = ml_kem768.keygen(seed);
    seed.fill(0);
    const discard = () => void secretKey.fill(0);
    return {
      publicKey,
      discard,
      decapsulate(ciphertext) {
        try {
          return ml_kem768.decapsulate(ciphertext, secretKey);
        } finally {
          discard();
        }
      },
    };
  },
  encapsulate(publicKey, random) {
    const message = random(32);
    try {
      const { cipherText, sharedSecret } = ml_kem768.encapsulate(publicKey, message);
      return { ciphertext: cipherText, secret: sharedSecret };
    } finally {
      message.fill(0);
    }
  },
};
