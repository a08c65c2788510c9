/** bcrypt_pbkdf, the key derivation of encrypted OpenSSH files (OpenBSD lib/libutil/bcrypt_pbkdf.c). @module */
import { type Bytes, concat, putUint32, utf8 } from "@postern/wire";
import { type BlowfishState, createBlowfishState, encryptBlock, expandState, wordsOf } from "./blowfish.ts";

const hashSize = 32;
/** hashes between two pauses: 10 to 40 ms of work */
const hashesPerTurn = 8;

/**
 * Derives `size` bytes. Each round takes one bcrypt hash per 32 bytes. Returns to the event loop between the rounds.
 * @param sha512 a provider's SHA-512
 */
export async function bcryptPbkdf(
  sha512: (data: Bytes) => Bytes,
  passphrase: Bytes,
  salt: Bytes,
  rounds: number,
  size: number,
): Promise<Bytes> {
  const key = wordsOf(sha512(passphrase));
  const blocks = Math.ceil(size / hashSize);
  const derived = new Uint8Array(size);
  let hashes = 0;
  for (let block = 0; block < blocks; block++) {
    const counter = new Uint8Array(4);
    putUint32(counter, 0, block + 1);
    let last = bcryptHash(key, wordsOf(sha512(concat(salt, counter))));
    const sum = last.slice();
    for (let round = 1; round < rounds; round++) {
      if (++hashes % hashesPerTurn === 0) await new Promise((resolve) => setTimeout(resolve));
      last = bcryptHash(key, wordsOf(sha512(last)));
      for (let i = 0; i < hashSize; i++) sum[i] = (sum[i] ?? 0) ^ (last[i] ?? 0);
    }
    // Unlike PBKDF2, it interleaves the blocks: each byte of the key depends on one of them in turn.
    for (let i = 0; i * blocks + block < size && i < hashSize; i++) derived[i * blocks + block] = sum[i] ?? 0;
  }
  key.fill(0);
  return derived;
}

/** bcrypt with a key and a salt of 64 bytes and 2^6 rounds, over a text of 32 bytes. */
function bcryptHash(key: Int32Array, salt: Int32Array): Bytes {
  const state: BlowfishState = createBlowfishState();
  expandState(state, key, salt);
  for (let i = 0; i < 64; i++) {
    expandState(state, salt, undefined);
    expandState(state, key, undefined);
  }
  const text = wordsOf(utf8("OxychromaticBlowfishSwatDynamite"));
  for (let at = 0; at < text.length; at += 2) for (let i = 0; i < 64; i++) encryptBlock(state, text, at);
  state.fill(0);
  const hash = new Uint8Array(hashSize);
  const view = new DataView(hash.buffer);
  text.forEach((word, i) => {
    view.setInt32(4 * i, word, true);
  });
  return hash;
}
