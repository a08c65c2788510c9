/** What a packet cipher is: one sealing or opening object per direction and key. @module */
import { type Bytes, SshError } from "@postern/wire";
import type { Mac } from "./mac.ts";

/** The keys of one direction, as RFC 4253 section 7.2 derives them. */
export interface DirectionKeys {
  readonly key: Bytes;
  readonly iv: Bytes;
  /** the MAC and its key; undefined for a cipher that isAead by itself */
  readonly mac: { readonly algorithm: Mac; readonly key: Bytes } | undefined;
}

/** Sizes that decide how a packet is laid out: `length || padding_length || payload || padding || tag`. */
export interface PacketShape {
  /** what the padded part is a multiple of; at least 8 */
  readonly blockSize: number;
  /** bytes after the padding */
  readonly tagSize: number;
  /** whether the four bytes of the length belong to the padded part */
  readonly lengthIsPadded: boolean;
}

/** Seals the packets of one direction. */
export interface PacketSealer extends PacketShape {
  /** Seals in place; `packet` is the whole packet with room for the tag at its end. */
  seal(sequence: number, packet: Bytes): void;
}

/** Opens the packets of one direction. */
export interface PacketOpener extends PacketShape {
  /** bytes needed before the length is known */
  readonly headerSize: number;
  /** The value of packet_length, not yet verified. Called once per packet with its first `headerSize` bytes. */
  length(sequence: number, header: Bytes): number;
  /**
   * Verifies and opens the whole packet (takes). Gives what follows the length field, without the tag:
   * `padding_length || payload || padding`, in place or in a buffer of its own. The caller has checked that the padded
   * part is a multiple of `blockSize`.
   * @throws SshError `mac` when the tag is wrong; the opener is of no use after that
   */
  open(sequence: number, packet: Bytes): Bytes;
  /** Takes back the buffer of what `open` gave, once nobody reads it any more. */
  reuse?(text: Bytes): void;
}

/** A packet cipher (RFC 4253 section 6.3) as a value. */
export interface Cipher {
  readonly name: string;
  readonly keySize: number;
  readonly ivSize: number;
  /** true: an AEAD, no MAC is negotiated */
  readonly isAead: boolean;
  /** takes the keys */
  sealer(keys: DirectionKeys): PacketSealer;
  /** takes the keys */
  opener(keys: DirectionKeys): PacketOpener;
}

/** @throws SshError `misuse` unless key and initialization vector have the sizes the cipher asks for */
export function checkKeys(name: string, keys: DirectionKeys, keySize: number, ivSize: number): void {
  const { key, iv } = keys;
  if (key.length === keySize && iv.length === ivSize) return;
  const got = `${key.length} and ${iv.length}`;
  throw new SshError("misuse", `${name}: expected a key of ${keySize} bytes and an IV of ${ivSize}, got ${got}`);
}

/** Where the tag starts. @throws SshError `misuse` when the packet has no room for a length, a byte and a tag */
export function checkPacketSize(packet: Bytes, tagSize: number): number {
  const end = packet.length - tagSize;
  if (end > 4) return end;
  throw new SshError("misuse", `expected a packet of more than ${4 + tagSize} bytes, got ${packet.length}`);
}
