/**
 * Poly1305 (RFC 8439 section 2.5) in WebAssembly: `node:crypto` has it only inside of an AEAD that is not the one of OpenSSH, and it is
 * three times as fast as in JavaScript. The arithmetic is in poly1305.wat.
 * @module
 */
import type { Bytes } from "@postern/wire";
import { code } from "./poly1305-code.ts";
import { instantiate, type Wasm } from "./wasm.ts";

interface Exports {
  start(): void;
  blocks(at: number, end: number, above: number): void;
  finish(): void;
}

/** Where poly1305.wat has things in its memory of one page: the key first, then the sum. */
const tagAt = 72;
const dataAt = 128;
const mostData = 65_536 - dataAt;
/** the bit above a whole block, in the highest limb */
const above = 2 ** 24;

let made: Wasm<Exports> | undefined;

/** The tag of `data` under a key of 32 bytes that is used once. No branch and no address depends on a secret. */
export function poly1305(data: Bytes, key: Bytes): Bytes {
  made ??= instantiate(code);
  const { exports, memory } = made;
  memory.set(key);
  exports.start();
  const whole = data.length - (data.length % 16);
  for (let at = 0; at < whole; at += mostData) {
    const part = data.subarray(at, Math.min(at + mostData, whole));
    memory.set(part, dataAt);
    exports.blocks(dataAt, dataAt + part.length, above);
  }
  if (whole < data.length) {
    // A short block: the bit follows its last byte, and zeros the bit.
    memory.fill(0, dataAt, dataAt + 16);
    memory.set(data.subarray(whole), dataAt);
    memory[dataAt + data.length - whole] = 1;
    exports.blocks(dataAt, dataAt + 16, 0);
  }
  exports.finish();
  const tag = memory.slice(tagAt, tagAt + 16);
  // What would tell the key, or forge with it.
  memory.fill(0, 0, dataAt);
  return tag;
}
