/** `diffie-hellman-group-exchange-sha256` (RFC 4419): the server chooses the group. @module */
import { type Bytes, message, mpint, SshError, uint32, Writer } from "@postern/wire";
import type { GroupExchange, Hash, KexMethod } from "../kex.ts";
import { toBigInt } from "../nist.ts";
import { createModp, type Modp, type ModpGroup, modpGroup } from "./modp.ts";

/** Bits of a prime. RFC 8270 requires 2048. More than 8192 bits cost seconds. */
const bounds = { min: 2048, preferred: 3072, max: 8192 } as const;

/** Creates the key exchange from a provider's SHA-256 and Diffie-Hellman. */
export function createGroupExchange(sha256: Hash, diffieHellman: Modp): KexMethod {
  const name = "diffie-hellman-group-exchange-sha256";
  // RFC 4419 section 5. Here, so that bundles without this method omit them. The older request without bounds has the
  // number 30, and is not accepted.
  const Request = message(34, "KEX_DH_GEX_REQUEST", { min: uint32, preferred: uint32, max: uint32 });
  const Group = message(31, "KEX_DH_GEX_GROUP", { prime: mpint, generator: mpint });
  const chosen = (request: Readonly<Record<keyof typeof bounds, number>>, group: ModpGroup) => ({
    ...createModp(name, sha256, () => group, diffieHellman),
    // RFC 4419 section 3: min || n || max || p || g come before e in the exchange hash.
    hashed: new Writer(1100)
      .uint32(request.min)
      .uint32(request.preferred)
      .uint32(request.max)
      .mpint(group.prime)
      .mpint(group.generator)
      .finish(),
  });
  const groupExchange: GroupExchange = {
    request: Request.encode(bounds),
    accept(payload) {
      const { prime, generator } = Group.decode(payload);
      checkGroup(prime, generator);
      // Copies, because they outlive the packet.
      return chosen(bounds, { prime: prime.slice(), generator: generator.slice() });
    },
    choose(payload) {
      const request = Request.decode(payload);
      const group = modpGroup(chooseSize(request));
      return { method: chosen(request, group), answer: Group.encode(group) };
    },
  };
  // Without a group there is nothing to compute. The group of 2048 bits serves self-tests.
  return { ...createModp(name, sha256, () => modpGroup(bounds.min), diffieHellman), groupExchange };
}

/** Returns the smallest size that the client prefers or more, otherwise the largest that it accepts. */
function chooseSize({ min, preferred, max }: { min: number; preferred: number; max: number }): number {
  // Safe by construction (RFC 3526).
  const sizes = [2048, 3072, 4096, 6144, 8192];
  const accepted = min <= preferred && preferred <= max ? sizes.filter((size) => size >= min && size <= max) : [];
  const size = accepted.find((one) => one >= preferred) ?? accepted.at(-1);
  if (size !== undefined) return size;
  throw new SshError(
    "kex",
    `expected a request for a group of ${bounds.min} to ${bounds.max} bits, got ${min}, ${preferred}, ${max}`,
  );
}

/**
 * Rejects a group of a wrong size, and one that is obviously not a safe prime with a generator. A full test takes
 * seconds and would not help: the server signs the group, and a server that wants to reveal the secret can do so.
 */
function checkGroup(prime: Bytes, generator: Bytes): void {
  const bits = prime.length * 8 - Math.clz32(prime[0] ?? 0) + 24;
  if (bits < bounds.min || bits > bounds.max) {
    throw new SshError("kex", `expected a group of ${bounds.min} to ${bounds.max} bits, got ${bits}`);
  }
  const p = toBigInt(prime);
  const g = generator.length <= prime.length ? toBigInt(generator) : p;
  const smallPrimes = [3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97];
  const divisor = smallPrimes.find((one) => p % BigInt(one) === 0n || ((p - 1n) / 2n) % BigInt(one) === 0n);
  if (p % 4n !== 3n || divisor !== undefined) {
    throw new SshError("kex", "expected a group with a safe prime, got a number that is not");
  }
  if (g < 2n || g > p - 2n) throw new SshError("kex", "expected a generator from 2 to p - 2, got another value");
}
