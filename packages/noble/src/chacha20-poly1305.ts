/** ChaCha20 and Poly1305 in pure JavaScript. @module */
import { poly1305 as noblePoly1305 } from "@noble/ciphers/_poly1305.js";
import { chacha20orig } from "@noble/ciphers/chacha.js";
import { type ChaCha20, type Cipher, createChaCha20Poly1305, type Poly1305 } from "@postern/crypto";

/** ChaCha20 in pure JavaScript. */
export const chacha20: ChaCha20 = {
  xor: (key, nonce, data) => chacha20orig(key, nonce, data),
  split(key, nonce, data) {
    // Encrypting 64 zeros yields block 0. A new buffer is also aligned, as noble's fast path requires.
    const blocks = new Uint8Array(64 + data.length);
    blocks.set(data, 64);
    chacha20orig(key, nonce, blocks, blocks);
    return { macKey: blocks.subarray(0, 32), data: blocks.subarray(64) };
  },
};

/** Poly1305 in pure JavaScript. */
export const poly1305: Poly1305 = (data, key) => noblePoly1305(data, key);

/** `chacha20-poly1305@openssh.com` in pure JavaScript. */
export const chacha20Poly1305: Cipher = /* @__PURE__ */ createChaCha20Poly1305(chacha20, poly1305);
