/** Properties of the key exchanges. */
import { drawScalar, isScalar, nistp256, nistp384, nistp521, orders, type Random } from "@postern/crypto";
import { Reader } from "@postern/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compatibleAlgorithms } from "../src/index.ts";

/** Creates a random source from a seed, and records the bytes it returns. */
function stream(seed: number): { readonly random: Random; readonly given: Uint8Array[] } {
  const given: Uint8Array[] = [];
  let state = seed | 1;
  const random: Random = (size) => {
    const bytes = new Uint8Array(size).map(() => {
      state = Math.imul(state, 1664525) + 1013904223;
      return state >>> 24;
    });
    given.push(bytes);
    return bytes;
  };
  return { random, given };
}

describe.each(compatibleAlgorithms.kex.map((method) => [method.name, method] as const))("%s", (_name, method) => {
  it("derives the same secret on both sides, an mpint (RFC 5656 section 4), or a string of a hybrid", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), (a, b) => {
        const client = method.start(stream(a).random);
        const server = method.respond(client.clientPublic, stream(b).random);
        const secret = client.finish(server.serverPublic);
        expect(secret).toEqual(server.secret);
        const reader = new Reader(secret, "K");
        if (method.isPostQuantum === true) expect(reader.string().length).toBe(method.hash.size);
        else expect(reader.mpint().length).toBeGreaterThan(0);
        reader.end();
      }),
      { numRuns: 5 },
    );
  });

  it("overwrites the private key after deriving the secret", () => {
    const ours = stream(1);
    const theirs = stream(2);
    const client = method.start(ours.random);
    const server = method.respond(client.clientPublic, theirs.random);
    client.finish(server.serverPublic);
    for (const bytes of [...ours.given, ...theirs.given]) expect(bytes).toEqual(new Uint8Array(bytes.length));
  });

  it("overwrites a discarded private key, and rejects finish() afterwards", () => {
    const { random, given } = stream(1);
    const client = method.start(random);
    const { serverPublic } = method.respond(client.clientPublic, stream(2).random);
    client.discard();
    client.discard();
    for (const bytes of given) expect(bytes).toEqual(new Uint8Array(bytes.length));
    expect(() => client.finish(serverPublic)).toThrow(expect.objectContaining({ code: "misuse" }));
  });

  it("rejects a second finish()", () => {
    const client = method.start(stream(1).random);
    const { serverPublic } = method.respond(client.clientPublic, stream(2).random);
    client.finish(serverPublic);
    expect(() => client.finish(serverPublic)).toThrow(expect.objectContaining({ code: "misuse" }));
  });

  it("draws no random bytes for a public value of wrong length", () => {
    const { random, given } = stream(1);
    expect(() => method.respond(new Uint8Array(5), random)).toThrow(expect.objectContaining({ code: "kex" }));
    expect(given).toEqual([]);
  });
});

describe.each([nistp256, nistp384, nistp521])("$name", (curve) => {
  it("draws scalars below the order (FIPS 186-5 appendix A.2.2)", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const scalar = drawScalar(curve, stream(seed).random);
        expect(scalar.length).toBe(curve.size);
        expect(isScalar(curve, scalar)).toBe(true);
      }),
    );
  });

  it("stops drawing from a broken random source", () => {
    const zeros: Random = (size) => new Uint8Array(size);
    expect(() => drawScalar(curve, zeros)).toThrow(expect.objectContaining({ code: "misuse" }));
  });

  it("accepts exactly the scalars from 1 to the order - 1", () => {
    const encode = (value: bigint) =>
      Uint8Array.from({ length: curve.size }, (_, i) => Number((value >> BigInt(8 * (curve.size - 1 - i))) & 0xffn));
    expect(
      [0n, 1n, orders[curve.name] - 1n, orders[curve.name], orders[curve.name] + 1n].map((value) =>
        isScalar(curve, encode(value)),
      ),
    ).toEqual([false, true, true, false, false]);
  });
});
