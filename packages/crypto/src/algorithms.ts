/** Sets of algorithms, and the self-tests that decide whether a platform supports an algorithm. @module */
import { concat, equal, fromHex } from "@postern/wire";
import type { Cipher } from "./cipher.ts";
import type { KexMethod, Random } from "./kex.ts";
import type { Mac } from "./mac.ts";
import type { PublicKeyAlgorithm } from "./publickey.ts";

/** The algorithms that one side offers in its KEXINIT (RFC 4253 section 7.1), best first in each list. */
export interface Algorithms {
  readonly kex: readonly KexMethod[];
  /** host key algorithms that a client accepts */
  readonly hostKeys: readonly PublicKeyAlgorithm[];
  readonly ciphers: readonly Cipher[];
  readonly macs: readonly Mac[];
}

/**
 * Returns whether a cipher computes the known answer: the last 16 bytes of a packet of 16 zeros, sealed with sequence
 * number 0x01020304, followed by those of the next packet, of 256 zeros. A provider may treat short packets
 * differently. Key and IV are the bytes 0, 1, 2, …. A cipher that is not an AEAD runs without a MAC.
 */
export function cipherWorks(cipher: Cipher, answer: string): boolean {
  return succeeds(() => {
    const counting = (size: number) => Uint8Array.from({ length: size }, (_, index) => index);
    const noMac = { name: "none", keySize: 0, tagSize: 0, etm: true, keyed: () => () => counting(0) } as const;
    const mac = cipher.isAead ? undefined : { algorithm: noMac, key: counting(0) };
    const sealer = cipher.sealer({ key: counting(cipher.keySize), iv: counting(cipher.ivSize), mac });
    const ends = [16, 256].map((size, index) => {
      const packet = new Uint8Array(4 + size + sealer.tagSize);
      sealer.seal(0x01020304 + index, packet);
      return packet.subarray(-16);
    });
    return equal(concat(...ends), fromHex(answer));
  });
}

/** Returns whether both sides of a key exchange derive the same secret. */
export function kexWorks(method: KexMethod): boolean {
  return succeeds(() => {
    const fixed: Random = (size) => new Uint8Array(size).fill(1);
    const client = method.start(fixed);
    const { serverPublic, secret } = method.respond(client.clientPublic, fixed);
    return equal(client.finish(serverPublic), secret);
  });
}

/** Returns the result of `works`, or `false` if it throws. */
export function succeeds(works: () => boolean): boolean {
  try {
    return works();
  } catch {
    return false;
  }
}
