/** `aes128-ctr`, `aes192-ctr`, `aes256-ctr` (RFC 4344 section 4), combined with a MAC. @module */
import { type Bytes, concat, getUint32, SshError } from "@postern/wire";
import {
  type Cipher,
  checkKeys,
  checkPacketSize,
  type DirectionKeys,
  type PacketOpener,
  type PacketSealer,
} from "./cipher.ts";
import { checkTag, type Mac } from "./mac.ts";

/**
 * A provider's AES in counter mode. Receives the key and the first counter block, and returns a function that encrypts
 * the next whole blocks (copies, or in place).
 */
export type AesCtr = (key: Bytes, counter: Bytes) => (blocks: Bytes) => Bytes;

const blockSize = 16;

/** Creates a cipher from a provider's AES-CTR. The counter continues from packet to packet (RFC 4344 section 4). */
export function createAesCtr(name: string, keySize: number, aes: AesCtr): Cipher {
  const compose = (keys: DirectionKeys): Composition => {
    checkKeys(name, keys, keySize, blockSize);
    if (keys.mac === undefined) throw new SshError("misuse", `${name}: expected a MAC, got none`);
    const { algorithm, key } = keys.mac;
    const composition = algorithm.etm ? encryptThenMac : encryptAndMac;
    return composition(algorithm.tagSize, algorithm.keyed(key), aes(keys.key, keys.iv));
  };
  return {
    name,
    keySize,
    ivSize: blockSize,
    isAead: false,
    sealer: (keys) => compose(keys).sealer,
    opener: (keys) => compose(keys).opener,
  };
}

type Composition = { readonly sealer: PacketSealer; readonly opener: PacketOpener };
type Compose = (tagSize: number, tagOf: ReturnType<Mac["keyed"]>, xor: ReturnType<AesCtr>) => Composition;

/** OpenSSH PROTOCOL section 1.5: the length is not encrypted, and the MAC covers it and the ciphertext. */
const encryptThenMac: Compose = (tagSize, tagOf, xor) => {
  const shape = { blockSize, tagSize, lengthIsPadded: false } as const;
  return {
    sealer: {
      ...shape,
      seal(sequence, packet) {
        const end = checkPacketSize(packet, tagSize);
        packet.set(xor(wholeBlocks(packet.subarray(4, end))), 4);
        packet.set(tagOf(sequence, packet.subarray(0, end)), end);
      },
    },
    opener: {
      ...shape,
      headerSize: 4,
      length: (_sequence, header) => getUint32(header, 0),
      open(sequence, packet) {
        const end = checkPacketSize(packet, tagSize);
        checkTag(sequence, tagOf(sequence, packet.subarray(0, end)), packet.subarray(end));
        return xor(wholeBlocks(packet.subarray(4, end)));
      },
    },
  };
};

/** RFC 4253 section 6.4: the MAC covers the plaintext, and the length is encrypted too. */
const encryptAndMac: Compose = (tagSize, tagOf, xor) => {
  const shape = { blockSize, tagSize, lengthIsPadded: true } as const;
  // The first block, decrypted by length() before the rest of the packet arrives.
  let first: Bytes | undefined;
  return {
    sealer: {
      ...shape,
      seal(sequence, packet) {
        const end = checkPacketSize(packet, tagSize);
        const text = packet.subarray(0, end);
        packet.set(tagOf(sequence, text), end);
        packet.set(xor(wholeBlocks(text)));
      },
    },
    opener: {
      ...shape,
      headerSize: blockSize,
      length(_sequence, header) {
        first = xor(header.slice(0, blockSize));
        return getUint32(first, 0);
      },
      open(sequence, packet) {
        const end = checkPacketSize(packet, tagSize);
        if (first === undefined) throw new SshError("misuse", "expected length() before open(), got open() only");
        const text = concat(first, xor(wholeBlocks(packet.subarray(blockSize, end))));
        first = undefined;
        checkTag(sequence, tagOf(sequence, text), packet.subarray(end));
        return text.subarray(4);
      },
    },
  };
};

// After a partial block, the counters of the two sides would differ.
function wholeBlocks(bytes: Bytes): Bytes {
  if (bytes.length % blockSize === 0) return bytes;
  throw new SshError("misuse", `expected a multiple of ${blockSize} bytes, got ${bytes.length}`);
}
