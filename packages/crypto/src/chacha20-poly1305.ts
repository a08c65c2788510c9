/** `chacha20-poly1305@openssh.com`, OpenSSH PROTOCOL.chacha20poly1305. @module */
import { type Bytes, getUint32, putUint32 } from "@postern/wire";
import { type Cipher, checkKeys, checkPacketSize, type DirectionKeys } from "./cipher.ts";
import { checkTag } from "./mac.ts";

/** The original ChaCha20, with a nonce of 8 bytes and a block counter of 64 bits, as a platform provides it. */
export interface ChaCha20 {
  /** XORs `data` with the key stream from block 0 on (copies). */
  xor(key: Bytes, nonce: Bytes, data: Bytes): Bytes;
  /** The first 32 bytes of block 0, and `data` XORed with the key stream from block 1 on (copies both). */
  split(key: Bytes, nonce: Bytes, data: Bytes): { readonly macKey: Bytes; readonly data: Bytes };
  /** Takes back the buffer of the data that `split` gave, once nobody reads it any more. */
  readonly reuse?: (data: Bytes) => void;
}

/** Poly1305 (RFC 8439 section 2.5) of a platform: the tag of `data` under a key of 32 bytes that is used once. */
export type Poly1305 = (data: Bytes, key: Bytes) => Bytes;

const tagSize = 16;

/**
 * Makes the cipher of a platform's ChaCha20 and Poly1305.
 *
 * The first 32 bytes of the key are for the payload and its tag, the last 32 for the length alone. The nonce is the
 * sequence number; the tag covers the encrypted length and the ciphertext.
 */
export function createChaCha20Poly1305(chacha: ChaCha20, mac: Poly1305): Cipher {
  const shape = { blockSize: 8, tagSize, lengthIsPadded: false } as const;
  return {
    name: "chacha20-poly1305@openssh.com",
    keySize: 64,
    ivSize: 0,
    isAead: true,
    sealer(keys) {
      const { payloadKey, lengthKey } = splitKey(keys);
      return {
        ...shape,
        seal(sequence, packet) {
          const end = checkPacketSize(packet, tagSize);
          const nonce = nonceOf(sequence);
          packet.set(chacha.xor(lengthKey, nonce, packet.subarray(0, 4)));
          const { macKey, data } = chacha.split(payloadKey, nonce, packet.subarray(4, end));
          packet.set(data, 4);
          chacha.reuse?.(data);
          packet.set(mac(packet.subarray(0, end), macKey), end);
          macKey.fill(0);
        },
      };
    },
    opener(keys) {
      const { payloadKey, lengthKey } = splitKey(keys);
      return {
        ...shape,
        headerSize: 4,
        length: (sequence, header) => getUint32(chacha.xor(lengthKey, nonceOf(sequence), header.subarray(0, 4)), 0),
        open(sequence, packet) {
          const end = checkPacketSize(packet, tagSize);
          // One run over the key stream gives the MAC key and the plaintext, which leaves only once the tag is right.
          const { macKey, data } = chacha.split(payloadKey, nonceOf(sequence), packet.subarray(4, end));
          const expected = mac(packet.subarray(0, end), macKey);
          macKey.fill(0);
          checkTag(sequence, expected, packet.subarray(end));
          return data;
        },
        ...(chacha.reuse && { reuse: chacha.reuse }),
      };
    },
  };
}

function splitKey(keys: DirectionKeys): { readonly payloadKey: Bytes; readonly lengthKey: Bytes } {
  checkKeys("chacha20-poly1305@openssh.com", keys, 64, 0);
  return { payloadKey: keys.key.subarray(0, 32), lengthKey: keys.key.subarray(32) };
}

/** The sequence number as a big-endian uint64. */
function nonceOf(sequence: number): Bytes {
  const nonce = new Uint8Array(8);
  putUint32(nonce, 4, sequence);
  return nonce;
}
