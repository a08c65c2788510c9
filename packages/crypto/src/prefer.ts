/** A platform's own values, where the platform has what they need. Nothing is tried before the first use. @module */
import { concat, equal, fromHex } from "@postern/wire";
import type { Cipher } from "./cipher.ts";
import type { PublicKeyAlgorithm } from "./hostkey.ts";
import type { KexMethod } from "./kex.ts";
import type { Random } from "./random.ts";

/** `own` where it gives the known answer of {@link cipherWorks}, else `otherwise`. */
export function preferCipher(own: Cipher, otherwise: Cipher, answer: string): Cipher {
  const choose = lazily(own, otherwise, () => cipherWorks(own, answer));
  return { ...own, sealer: (keys) => choose().sealer(keys), opener: (keys) => choose().opener(keys) };
}

/** `own` where it can agree with itself, else `otherwise`. */
export function preferKex(own: KexMethod, otherwise: KexMethod): KexMethod {
  const choose = lazily(own, otherwise, () => kexWorks(own));
  return {
    ...own,
    start: (random) => choose().start(random),
    respond: (clientPublic, random) => choose().respond(clientPublic, random),
  };
}

/** `own`, unless it throws or its promise rejects: whether the key or the platform is unfit, `otherwise` says. */
export function preferKey(own: PublicKeyAlgorithm, otherwise: PublicKeyAlgorithm): PublicKeyAlgorithm {
  return {
    ...own,
    verify(publicKey, data, signature) {
      try {
        const verdict = own.verify(publicKey, data, signature);
        if (typeof verdict === "boolean") return verdict;
        return verdict.then(undefined, () => otherwise.verify(publicKey, data, signature));
      } catch {
        return otherwise.verify(publicKey, data, signature);
      }
    },
  };
}

/** Decides at the first use, and once. */
function lazily<T>(preferred: T, otherwise: T, works: () => boolean): () => T {
  let choice: T | undefined;
  return () => (choice ??= works() ? preferred : otherwise);
}

/**
 * Whether a platform's cipher gives the known answer: the last 16 bytes of a packet of 16 zeros sealed as number 0x01020304, and of one of
 * 256 zeros after it, for a platform may have a way of its own for short ones; key and IV count up from zero, and a cipher without a tag of its
 * own has none.
 */
export function cipherWorks(cipher: Cipher, answer: string): boolean {
  return succeeds(() => {
    const counting = (size: number) => Uint8Array.from({ length: size }, (_, index) => index);
    const noMac = { name: "none", keySize: 0, tagSize: 0, etm: true, keyed: () => () => counting(0) } as const;
    const mac = cipher.authenticates ? undefined : { algorithm: noMac, key: counting(0) };
    const sealer = cipher.sealer({ key: counting(cipher.keySize), iv: counting(cipher.ivSize), mac });
    const ends = [16, 256].map((size, index) => {
      const packet = new Uint8Array(4 + size + sealer.tagSize);
      sealer.seal(0x01020304 + index, packet);
      return packet.subarray(-16);
    });
    return equal(concat(...ends), fromHex(answer));
  });
}

/** Whether a platform's key exchange can agree with itself. */
export function kexWorks(method: KexMethod): boolean {
  return succeeds(() => {
    const fixed: Random = (size) => new Uint8Array(size).fill(1);
    const client = method.start(fixed);
    const { serverPublic, secret } = method.respond(client.clientPublic, fixed);
    return equal(client.finish(serverPublic), secret);
  });
}

function succeeds(works: () => boolean): boolean {
  try {
    return works();
  } catch {
    return false;
  }
}
