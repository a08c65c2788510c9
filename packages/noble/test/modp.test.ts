/** Diffie-Hellman over prime fields, with a platform that accepts every value. */
import { getDiffieHellman } from "node:crypto";
import { createModp, type EphemeralKey, modpGroup, type Random, toBigInt } from "@postern/crypto";
import { type Bytes, concat, fromHex, toHex } from "@postern/wire";
import { describe, expect, it, vi } from "vitest";
import { sha256 } from "../src/index.ts";

const group = modpGroup(2048);
const p = toBigInt(group.prime);
const random: Random = (size) => new Uint8Array(size).fill(1);

/** Returns a key exchange whose platform computes these values. */
function computing(values: Partial<EphemeralKey>): ReturnType<typeof createModp> {
  return createModp(
    "modp",
    sha256,
    () => group,
    () => ({ publicKey: Uint8Array.of(9), agree: () => fixed(5n), ...values }),
  );
}

/** Returns bytes as long as the prime. */
const fixed = (value: bigint): Bytes => fromHex(value.toString(16).padStart(512, "0"));
/** Returns the body of an mpint. */
function body(value: bigint): Bytes {
  const hex = value.toString(16);
  const bytes = fromHex(hex.padStart(hex.length + (hex.length % 2), "0"));
  return (bytes[0] ?? 0) > 0x7f ? concat(Uint8Array.of(0), bytes) : bytes;
}

describe("a MODP group", () => {
  it.each([
    [2048, "modp14"],
    [3072, "modp15"],
    [4096, "modp16"],
    [6144, "modp17"],
    [8192, "modp18"],
  ])("of %i bits has the prime of OpenSSL's %s, and the generator 2 (RFC 3526)", async (bits, name) => {
    // A new module has not computed a group yet.
    vi.resetModules();
    const fresh = await import("@postern/crypto");
    const { prime, generator } = fresh.modpGroup(bits);
    expect(toHex(prime)).toBe(getDiffieHellman(name).getPrime("hex"));
    expect(generator).toEqual(Uint8Array.of(2));
    expect(fresh.modpGroup(bits).prime).toBe(prime);
  });

  it("of 1024 bits does not exist (RFC 8268 section 3)", () => {
    expect(() => modpGroup(1024)).toThrow(expect.objectContaining({ code: "misuse" }));
  });
});

describe("a public value", () => {
  it.each([
    ["0", new Uint8Array(0)],
    ["0 with a leading zero", Uint8Array.of(0)],
    ["1", body(1n)],
    ["2 with a leading zero", Uint8Array.of(0, 2)],
    ["a negative number", group.prime.slice(1)],
    ["p - 1", body(p - 1n)],
    ["p", body(p)],
    ["p + 2", body(p + 2n)],
  ])("is not %s, before an exponent is drawn (RFC 8268 section 4, RFC 4251 section 5)", (_title, value) => {
    const method = computing({});
    const refused = expect.objectContaining({
      code: "kex",
      message: "modp: expected a public value from 2 to p - 2, got another value",
    });
    expect(() => method.respond(value, () => expect.unreachable())).toThrow(refused);
    expect(() => method.start(random).finish(value)).toThrow(refused);
  });

  it("is 2 to p - 2 (RFC 8268 section 4)", () => {
    for (const value of [2n, 0x80n, p - 2n]) {
      expect(computing({}).respond(body(value), random).secret).toEqual(Uint8Array.of(0, 0, 0, 1, 5));
    }
  });

  it("is sent as an mpint without leading zeros (RFC 4251 section 5)", () => {
    const sent = (...bytes: number[]): Bytes =>
      computing({ publicKey: Uint8Array.from(bytes) }).start(random).clientPublic;
    expect(sent(0, 0, 5)).toEqual(Uint8Array.of(5));
    expect(sent(0, 0x7f, 0)).toEqual(Uint8Array.of(0x7f, 0));
    expect(sent(0x80, 0)).toEqual(Uint8Array.of(0, 0x80, 0));
  });
});

describe("a secret", () => {
  const respond = (secret: bigint) => () => computing({ agree: () => fixed(secret) }).respond(body(2n), random);

  it("is not 0, 1 or p - 1 (RFC 4419 section 3)", () => {
    for (const secret of [0n, 1n, p - 1n]) expect(respond(secret)).toThrow("modp: expected a secret from 2 to p - 2");
  });

  it("may differ from these values in any byte", () => {
    for (const at of [1n, 8n, 2039n, 2040n, 2047n]) {
      const bit = 1n << at;
      expect(respond(bit)).not.toThrow();
      expect(respond((p - 1n) ^ bit)).not.toThrow();
    }
  });

  it("needs an exponent, which the platform discards if it can", () => {
    const discard = vi.fn();
    computing({ discard }).start(random).discard();
    expect(discard).toHaveBeenCalledOnce();
    expect(() => computing({}).start(random).discard()).not.toThrow();
  });
});
