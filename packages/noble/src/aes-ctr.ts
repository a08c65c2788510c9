/** AES-CTR in pure JavaScript. @module */
import { ctr } from "@noble/ciphers/aes.js";
import { type AesCtr, type Cipher, createAesCtr } from "@postern/crypto";
import type { Bytes } from "@postern/wire";

const blockSize = 16;

const nobleAesCtr: AesCtr = (key, counter) => {
  let block = counter;
  return (blocks) => {
    const text = ctr(key, block).encrypt(blocks);
    block = addBlocks(block, blocks.length / blockSize);
    return text;
  };
};

/** Returns the counter, a big-endian integer, plus `blocks`, modulo 2^128 (NIST SP 800-38A appendix B.1). */
function addBlocks(block: Bytes, blocks: number): Bytes {
  const next = block.slice();
  let carry = blocks;
  for (let at = blockSize - 1; at >= 0 && carry > 0; at--) {
    carry += next[at] ?? 0;
    next[at] = carry;
    carry = Math.floor(carry / 256);
  }
  return next;
}

/** `aes128-ctr` in pure JavaScript. */
export const aes128Ctr: Cipher = /* @__PURE__ */ createAesCtr("aes128-ctr", 16, nobleAesCtr);

/** `aes192-ctr` in pure JavaScript. */
export const aes192Ctr: Cipher = /* @__PURE__ */ createAesCtr("aes192-ctr", 24, nobleAesCtr);

/** `aes256-ctr` in pure JavaScript. */
export const aes256Ctr: Cipher = /* @__PURE__ */ createAesCtr("aes256-ctr", 32, nobleAesCtr);
