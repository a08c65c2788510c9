/** Diffie-Hellman over prime fields: the MODP groups of RFC 3526 for SSH (RFC 8268). @module */
import { type Bytes, concat, fromHex, SshError } from "@postern/wire";
import type { Hash, KexMethod } from "../kex.ts";
import { toBigInt } from "../nist.ts";
import { createDiffieHellman, type EphemeralKey } from "./ecdh.ts";

/** A group: a safe prime and a generator, as unsigned big-endian bytes. */
export interface ModpGroup {
  readonly prime: Bytes;
  readonly generator: Bytes;
}

/** A provider's Diffie-Hellman. Receives a private exponent; public and shared values are unsigned and big-endian. */
export type Modp = (group: ModpGroup, exponent: Bytes) => EphemeralKey;

const computed = /* @__PURE__ */ new Map<number, ModpGroup>();

/** Returns the MODP group of that size: 2048 (14), 3072 (15), 4096 (16), 6144 (17) or 8192 (18) bits. */
export function modpGroup(bits: number): ModpGroup {
  const known = computed.get(bits);
  if (known !== undefined) return known;
  // The number in the formula of each prime (RFC 3526 sections 3 to 7).
  const offsets: Readonly<Record<number, bigint>> = {
    2048: 124_476n,
    3072: 1_690_314n,
    4096: 240_904n,
    6144: 929_484n,
    8192: 4_743_158n,
  };
  const offset = offsets[bits];
  if (offset === undefined) throw new SshError("misuse", `expected the size of a MODP group, got ${bits}`);
  const size = BigInt(bits);
  // RFC 3526: 2^n - 2^(n-64) - 1 + 2^64 * ([2^(n-130) pi] + offset)
  const prime = 2n ** size - 2n ** (size - 64n) - 1n + 2n ** 64n * (scaledPi(size - 130n) + offset);
  const group = { prime: fromHex(prime.toString(16)), generator: Uint8Array.of(2) };
  computed.set(bits, group);
  return group;
}

/** Returns 2^bits * pi, rounded down, by Machin's formula. */
function scaledPi(bits: bigint): bigint {
  const guard = 64n;
  const one = 2n ** (bits + guard);
  const arcCotangent = (cotangent: bigint): bigint => {
    let sum = 0n;
    let sign = 1n;
    for (let power = one / cotangent, odd = 1n; power > 0n; power /= cotangent * cotangent, odd += 2n) {
      sum += (sign * power) / odd;
      sign = -sign;
    }
    return sum;
  };
  return (16n * arcCotangent(5n) - 4n * arcCotangent(239n)) >> guard;
}

/** bytes of a private exponent: twice the 256 bits of the strongest ciphers */
const exponentSize = 64;

/**
 * Creates a key exchange from a group and a provider's Diffie-Hellman. A public value is the body of an mpint, and is
 * accepted from 2 to p - 2 (RFC 8268 section 4): the values 0, 1 and p - 1 result in a secret that everybody knows. The
 * secret is accepted from 2 to p - 2, too (RFC 4419 section 3): a server may send a group that is no safe prime.
 */
export function createModp(name: string, hash: Hash, group: () => ModpGroup, diffieHellman: Modp): KexMethod {
  return createDiffieHellman(name, hash, {
    check: (publicKey) => checkPublic(name, group().prime, publicKey),
    generate(random) {
      const exponent = random(exponentSize);
      // The highest bit is set, so that every exponent has the same length, and none is 0.
      exponent[0] = (exponent[0] ?? 0) | 0x80;
      const key = diffieHellman(group(), exponent);
      return {
        publicKey: mpintBody(key.publicKey),
        agree(theirPublic) {
          const secret = key.agree(theirPublic);
          checkSecret(name, group().prime, secret);
          return secret;
        },
        discard: () => key.discard?.(),
      };
    },
  });
}

function checkPublic(name: string, prime: Bytes, publicKey: Bytes): void {
  const [first = 0, second = 0x80] = publicKey;
  const isMpint = first < 0x80 && (first > 0 || second >= 0x80);
  if (isMpint && publicKey.length <= prime.length + 1) {
    const value = toBigInt(publicKey);
    if (value > 1n && value < toBigInt(prime) - 1n) return;
  }
  throw new SshError("kex", `${name}: expected a public value from 2 to p - 2, got another value`);
}

/** Rejects 0, 1 and p - 1, without a branch on a secret byte. The secret is below p, which is odd. */
function checkSecret(name: string, prime: Bytes, secret: Bytes): void {
  let fromOne = 0;
  let fromLast = 0;
  for (let index = 1; index <= prime.length; index++) {
    const byte = secret.at(-index) ?? 0;
    const mask = index === 1 ? 0xfe : 0xff;
    fromOne |= byte & mask;
    fromLast |= byte ^ ((prime.at(-index) ?? 0) & mask);
  }
  if (fromOne === 0 || fromLast === 0) {
    throw new SshError("kex", `${name}: expected a secret from 2 to p - 2, got another value`);
  }
}

/** Returns the body of an mpint (RFC 4251 section 5) for unsigned bytes. */
function mpintBody(value: Bytes): Bytes {
  let start = 0;
  while (start < value.length && value[start] === 0) start++;
  const magnitude = value.subarray(start);
  return (magnitude[0] ?? 0) > 0x7f ? concat(Uint8Array.of(0), magnitude) : magnitude;
}
