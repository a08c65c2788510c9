/** AES-GCM in pure JavaScript. @module */
import { gcm } from "@noble/ciphers/aes.js";
import { type AesGcm, type Cipher, createAesGcm } from "@postern/crypto";
import type { Bytes } from "@postern/wire";

const tagSize = 16;

const nobleAesGcm = (key: Bytes): AesGcm => ({
  seal(nonce, packet) {
    packet.set(gcm(key, nonce, packet.subarray(0, 4)).encrypt(packet.subarray(4, -tagSize)), 4);
  },
  open(nonce, packet) {
    try {
      return gcm(key, nonce, packet.subarray(0, 4)).decrypt(packet.subarray(4));
    } catch {
      // Only the tag can be wrong, because all sizes were checked before.
      return undefined;
    }
  },
});

/** `aes128-gcm@openssh.com` in pure JavaScript. */
export const aes128Gcm: Cipher = /* @__PURE__ */ createAesGcm("aes128-gcm@openssh.com", 16, nobleAesGcm);

/** `aes256-gcm@openssh.com` in pure JavaScript. */
export const aes256Gcm: Cipher = /* @__PURE__ */ createAesGcm("aes256-gcm@openssh.com", 32, nobleAesGcm);
