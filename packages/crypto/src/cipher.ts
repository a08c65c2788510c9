/** Packet ciphers: one sealer or opener per direction and key. @module */
import { type Bytes, SshError } from "@postern/wire";
import type { Mac } from "./mac.ts";

/** The keys of one direction (RFC 4253 section 7.2). */
export interface DirectionKeys {
  readonly key: Bytes;
  readonly iv: Bytes;
  /** the MAC and its key, `undefined` for an AEAD */
  readonly mac: { readonly algorithm: Mac; readonly key: Bytes } | undefined;
}

/** The sizes that determine the layout of a packet: `length || padding_length || payload || padding || tag`. */
export interface PacketShape {
  /** the padded part is a multiple of it; at least 8 */
  readonly blockSize: number;
  /** bytes of the tag */
  readonly tagSize: number;
  /** whether the padded part includes the four bytes of the length */
  readonly lengthIsPadded: boolean;
}

/** Seals the packets of one direction. */
export interface PacketSealer extends PacketShape {
  /** Seals a packet in place. `packet` has room for the tag at its end. */
  seal(sequence: number, packet: Bytes): void;
}

/** Opens the packets of one direction. */
export interface PacketOpener extends PacketShape {
  /** bytes required to read the length */
  readonly headerSize: number;
  /** Returns packet_length, not yet verified. Called once per packet with its first `headerSize` bytes. */
  length(sequence: number, header: Bytes): number;
  /**
   * Verifies and opens a packet (takes). Returns `padding_length || payload || padding`, in place or in another buffer.
   * The caller has checked that the padded part is a multiple of `blockSize`.
   * @throws SshError `mac` if the tag is wrong. The opener is then unusable.
   */
  open(sequence: number, packet: Bytes): Bytes;
}

/** A packet cipher (RFC 4253 section 6.3). */
export interface Cipher {
  readonly name: string;
  readonly keySize: number;
  readonly ivSize: number;
  /** whether the cipher is an AEAD, for which no MAC is negotiated */
  readonly isAead: boolean;
  /** Creates a sealer (takes the keys). */
  sealer(keys: DirectionKeys): PacketSealer;
  /** Creates an opener (takes the keys). */
  opener(keys: DirectionKeys): PacketOpener;
}

/** @throws SshError `misuse` unless key and initialization vector have the sizes of the cipher */
export function checkKeys(name: string, keys: DirectionKeys, keySize: number, ivSize: number): void {
  const { key, iv } = keys;
  if (key.length === keySize && iv.length === ivSize) return;
  const got = `${key.length} and ${iv.length}`;
  throw new SshError("misuse", `${name}: expected a key of ${keySize} bytes and an IV of ${ivSize}, got ${got}`);
}

/** Returns the start of the tag. @throws SshError `misuse` if the packet is too short for a length, a byte and a tag */
export function checkPacketSize(packet: Bytes, tagSize: number): number {
  const end = packet.length - tagSize;
  if (end > 4) return end;
  throw new SshError("misuse", `expected a packet of more than ${4 + tagSize} bytes, got ${packet.length}`);
}
