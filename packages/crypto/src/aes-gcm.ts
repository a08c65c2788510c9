/** `aes128-gcm@openssh.com` and `aes256-gcm@openssh.com` (RFC 5647, OpenSSH PROTOCOL section 1.6). @module */
import { type Bytes, getUint32 } from "@postern/wire";
import { type Cipher, checkKeys, checkPacketSize } from "./cipher.ts";
import { wrongTag } from "./mac.ts";

/** A provider's AES-GCM with one key. A packet is 4 bytes of additional data, the text, and a tag of 16 bytes. */
export interface AesGcm {
  /** Encrypts the text in place and writes the tag. */
  seal(nonce: Bytes, packet: Bytes): void;
  /** Returns the plaintext, in place or copied, or `undefined` if the tag is wrong. */
  open(nonce: Bytes, packet: Bytes): Bytes | undefined;
}

const tagSize = 16;
const ivSize = 12;

/** Creates a cipher from a provider's AES-GCM. The length is unencrypted additional data (RFC 5647 section 7.3). */
export function createAesGcm(name: string, keySize: number, withKey: (key: Bytes) => AesGcm): Cipher {
  const shape = { blockSize: 16, tagSize, lengthIsPadded: false } as const;
  return {
    name,
    keySize,
    ivSize,
    isAead: true,
    sealer(keys) {
      checkKeys(name, keys, keySize, ivSize);
      const nonce = keys.iv.slice();
      const aes = withKey(keys.key);
      return {
        ...shape,
        seal(_sequence, packet) {
          checkPacketSize(packet, tagSize);
          aes.seal(nonce, packet);
          countInvocation(nonce);
        },
      };
    },
    opener(keys) {
      checkKeys(name, keys, keySize, ivSize);
      const nonce = keys.iv.slice();
      const aes = withKey(keys.key);
      return {
        ...shape,
        headerSize: 4,
        length: (_sequence, header) => getUint32(header, 0),
        open(sequence, packet) {
          checkPacketSize(packet, tagSize);
          const text = aes.open(nonce, packet);
          if (text === undefined) throw wrongTag(sequence);
          countInvocation(nonce);
          return text;
        },
      };
    },
  };
}

/** Increments the invocation counter, a uint64 after 4 fixed bytes that wraps (RFC 5647 section 7.1). */
function countInvocation(nonce: Bytes): void {
  for (let at = ivSize - 1; at >= 4; at--) {
    const next = ((nonce[at] ?? 0) + 1) & 0xff;
    nonce[at] = next;
    if (next !== 0) return;
  }
}
