/**
 * Algorithms without secrecy, for tests of the protocol above them: each costs microseconds, and a peer of a few lines
 * can produce valid and invalid values of each step.
 * @module
 */
import type { Algorithms, Cipher, Hash, KexMethod, PublicKeyAlgorithm, Random, Signer } from "@postern/crypto";
import { type Bytes, concat, equal, SshError, utf8, Writer } from "@postern/wire";

/** The last byte of each sealed packet. */
export const toyTag = 0xaa;
/** The public value that an exchange refuses. Others are accepted. */
export const badToyPublic: Bytes = utf8("bad");
export const toyPublic: Bytes = utf8("toy");
export const toyHostKey: Bytes = new Writer().text("toy").text("the key").finish();
export const toySignature: Bytes = new Writer().text("toy").text("signed").finish();

/** FNV-1a with 32 bits, repeated. */
const toyHash: Hash = {
  name: "toy",
  size: 32,
  digest(data) {
    let hash = 0x811c9dc5;
    for (const byte of data) hash = Math.imul(hash ^ byte, 0x01000193);
    return new Uint8Array(32).fill(hash & 0xff);
  },
};

const secret = (): Bytes => new Writer().string(utf8("K")).finish();
const checked = (value: Bytes): Bytes => {
  if (equal(value, badToyPublic)) throw new SshError("kex", "expected a valid public value, got a bad one");
  return secret();
};

const toyKex: KexMethod = {
  name: "toy-kex",
  hash: toyHash,
  start: () => ({ clientPublic: toyPublic, finish: checked, discard() {} }),
  respond: (clientPublic) => ({ serverPublic: toyPublic, secret: checked(clientPublic) }),
};

/** A signature is valid if it is {@link toySignature}. */
export const toyKey: PublicKeyAlgorithm = {
  name: "toy",
  keyType: "toy",
  verify(publicKey, _data, signature) {
    if (!equal(publicKey.subarray(0, 7), toyHostKey.subarray(0, 7))) throw new SshError("key", "expected a toy key");
    return equal(signature, toySignature);
  },
};

/** Leaves the packet as it is, and adds {@link toyTag}. */
const toyCipher: Cipher = {
  name: "toy-cipher",
  keySize: 1,
  ivSize: 1,
  isAead: true,
  sealer: () => ({
    blockSize: 8,
    tagSize: 1,
    lengthIsPadded: true,
    seal(_sequence, packet) {
      packet[packet.length - 1] = toyTag;
    },
  }),
  opener: () => ({
    blockSize: 8,
    tagSize: 1,
    lengthIsPadded: true,
    headerSize: 4,
    length: (_sequence, header) => new DataView(header.buffer, header.byteOffset).getUint32(0),
    open(sequence, packet) {
      if (packet.at(-1) !== toyTag) throw new SshError("mac", `packet ${sequence}: expected its own tag, got another`);
      return packet.subarray(4, -1);
    },
  }),
};

export const toyAlgorithms: Algorithms = { kex: [toyKex], hostKeys: [toyKey], ciphers: [toyCipher], macs: [] };

export const toySigner: Signer = { publicKey: toyHostKey, algorithms: ["toy"], sign: () => toySignature };

/** Padding and cookies of zeros. */
export const zeros: Random = (size) => new Uint8Array(size);

/** Wraps a payload in a packet, sealed or not. */
export function toyPacket(payload: Bytes, isSealed: boolean): Bytes {
  const padding = 4 + ((8 - ((payload.length + 9) % 8)) % 8);
  const length = 1 + payload.length + padding;
  return concat(
    new Writer().uint32(length).byte(padding).finish(),
    payload,
    new Uint8Array(padding),
    isSealed ? Uint8Array.of(toyTag) : new Uint8Array(0),
  );
}
