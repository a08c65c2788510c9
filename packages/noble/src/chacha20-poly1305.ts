/** ChaCha20 and Poly1305 in pure JavaScript. @module */
import { poly1305 as noblePoly1305 } from "@noble/ciphers/_poly1305.js";
import { chacha20orig } from "@noble/ciphers/chacha.js";
import type { Cipher } from "@postern/crypto";
import { type ChaCha20, createChaCha20Poly1305, type Poly1305 } from "@postern/crypto";

/** ChaCha20 in pure JavaScript. */
export const chacha20: ChaCha20 = {
  xor: (key, nonce, data) => chacha20orig(key, nonce, data),
  split(key, nonce, data) {
    // Block 0 is the run over these zeros. A buffer of our own is also aligned, which noble's fast path asks for.
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
