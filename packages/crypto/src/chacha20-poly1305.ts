/** `chacha20-poly1305@openssh.com` (OpenSSH PROTOCOL.chacha20poly1305). @module */
import { type Bytes, getUint32, putUint32 } from "@postern/wire";
import { type Cipher, checkKeys, checkPacketSize, type DirectionKeys } from "./cipher.ts";
import { checkTag } from "./mac.ts";

/** A provider's original ChaCha20, with a nonce of 8 bytes and a block counter of 64 bits. */
export interface ChaCha20 {
  /** XORs `data` with the key stream, starting at block 0 (copies). */
  xor(key: Bytes, nonce: Bytes, data: Bytes): Bytes;
  /** Returns the first 32 bytes of block 0, and `data` XORed with the key stream from block 1 (copies both). */
  split(key: Bytes, nonce: Bytes, data: Bytes): { readonly macKey: Bytes; readonly data: Bytes };
}

/** A provider's Poly1305 (RFC 8439 section 2.5): returns the tag of `data` for a one-time key of 32 bytes. */
export type Poly1305 = (data: Bytes, key: Bytes) => Bytes;

const tagSize = 16;

/**
 * Creates the cipher from a provider's ChaCha20 and Poly1305.
 *
 * The first 32 bytes of the key encrypt the payload and derive the tag's key, the last 32 encrypt the length. The nonce
 * is the sequence number. The tag covers the encrypted length and the ciphertext.
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
          // One pass computes the MAC key and the plaintext. The plaintext is returned only if the tag is right.
          const { macKey, data } = chacha.split(payloadKey, nonceOf(sequence), packet.subarray(4, end));
          const expected = mac(packet.subarray(0, end), macKey);
          macKey.fill(0);
          checkTag(sequence, expected, packet.subarray(end));
          return data;
        },
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
