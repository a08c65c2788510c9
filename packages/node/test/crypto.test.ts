/** The algorithms of this package: equal to those of @postern/noble byte for byte, and computed by node:crypto. */
import * as nodeCrypto from "node:crypto";
import type { Algorithms, Mac } from "@postern/crypto";
import * as noble from "@postern/noble";
import { type HostKeyVector, loadTests } from "@postern/testkit/vectors";
import { fromHex, putUint32 } from "@postern/wire";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { compatibleAlgorithms, modernAlgorithms } from "../src/algorithm-sets.ts";
import { mlkem768X25519Sha256 } from "../src/algorithms.ts";
import { prepareAlgorithms } from "../src/prepare.ts";
import { nodeRandom } from "../src/random.ts";

vi.mock("node:crypto", async (original) => {
  const real = await original<typeof nodeCrypto>();
  const watched = [
    "createCipheriv",
    "createDecipheriv",
    "createHmac",
    "createHash",
    "createECDH",
    "diffieHellman",
    "verify",
  ];
  const spies = watched.map((name) => [name, vi.fn(real[name as "verify"])]);
  return { ...real, ...Object.fromEntries(spies) };
});

const bytes = (size: number) => fc.uint8Array({ minLength: size, maxLength: size });
const callsOf = (...functions: unknown[]) =>
  functions.reduce<number>((sum, spy) => sum + vi.mocked(spy as () => void).mock.calls.length, 0);
const byName = <T extends { readonly name: string }>(list: readonly T[], name: string): T =>
  list.find((value) => value.name === name) ?? expect.unreachable(name);

type Suite = readonly [title: string, cipher: string, mac: string | undefined];
const suites = compatibleAlgorithms.ciphers.flatMap((cipher): Suite[] =>
  cipher.isAead
    ? [[cipher.name, cipher.name, undefined]]
    : compatibleAlgorithms.macs.map((mac) => [`${cipher.name} with ${mac.name}`, cipher.name, mac.name]),
);

describe.each(suites)("%s", (_title, cipherName, macName) => {
  const of = (set: Algorithms) => ({
    cipher: byName(set.ciphers, cipherName),
    mac: macName === undefined ? undefined : byName(set.macs, macName),
  });
  const [js, own] = [of(noble.compatibleAlgorithms), of(compatibleAlgorithms)];

  it.each([
    ["native seals, JavaScript opens", own, js],
    ["JavaScript seals, native opens", js, own],
  ] as const)("%s, and the packets are equal", (_direction, from, to) => {
    const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 });
    const keys = fc.tuple(bytes(js.cipher.keySize), bytes(js.cipher.ivSize), bytes(js.mac?.keySize ?? 0));
    fc.assert(
      fc.property(keys, fc.nat(0xffff_ffff), sizes, ([key, iv, macKey], first, blocks) => {
        const take = (mac: Mac | undefined) => ({
          key: key.slice(),
          iv: iv.slice(),
          mac: mac && { algorithm: mac, key: macKey.slice() },
        });
        const sealer = from.cipher.sealer(take(from.mac));
        const twin = to.cipher.sealer(take(to.mac));
        const opener = to.cipher.opener(take(to.mac));
        blocks.forEach((count, index) => {
          const sequence = (first + index) >>> 0;
          const size = count * sealer.blockSize - (sealer.lengthIsPadded ? 4 : 0);
          const plain = new Uint8Array(4 + size + sealer.tagSize).fill(index + 1);
          putUint32(plain, 0, size);
          const [packet, same] = [plain.slice(), plain.slice()];
          sealer.seal(sequence, packet);
          twin.seal(sequence, same);
          expect(packet).toEqual(same);
          expect(opener.length(sequence, packet.slice(0, opener.headerSize))).toBe(size);
          expect(opener.open(sequence, packet)).toEqual(plain.slice(4, 4 + size));
        });
      }),
      { numRuns: 20 },
    );
  });

  it("seals and opens with node:crypto or WebAssembly, and returns no Buffer", () => {
    const { cipher, mac } = own;
    const take = () => ({
      key: new Uint8Array(cipher.keySize),
      iv: new Uint8Array(cipher.ivSize),
      mac: mac && { algorithm: mac, key: new Uint8Array(mac.keySize) },
    });
    cipher.sealer(take()); // the first use is the trial
    const before = callsOf(nodeCrypto.createCipheriv, nodeCrypto.createDecipheriv);
    const hmacs = callsOf(nodeCrypto.createHmac);
    const sealer = cipher.sealer(take());
    const opener = cipher.opener(take());
    const packet = new Uint8Array((sealer.lengthIsPadded ? 16 : 20) + sealer.tagSize);
    sealer.seal(0, packet);
    opener.length(0, packet.slice(0, opener.headerSize));
    expect(Object.getPrototypeOf(opener.open(0, packet))).toBe(Uint8Array.prototype);
    // ChaCha20-Poly1305 runs in WebAssembly.
    const objects = cipher.name.startsWith("chacha20") ? 0 : 2;
    expect(callsOf(nodeCrypto.createCipheriv, nodeCrypto.createDecipheriv) - before).toBe(objects);
    expect(callsOf(nodeCrypto.createHmac) - hmacs).toBe(mac ? 2 : 0);
  });

  it("rejects a packet with any one bit flipped (RFC 4253 6.4)", () => {
    const { cipher, mac } = own;
    const take = () => ({
      key: new Uint8Array(cipher.keySize).fill(1),
      iv: new Uint8Array(cipher.ivSize).fill(2),
      mac: mac && { algorithm: mac, key: new Uint8Array(mac.keySize).fill(3) },
    });
    const { tagSize, blockSize, lengthIsPadded } = cipher.sealer(take());
    const sealed = new Uint8Array((lengthIsPadded ? 0 : 4) + 2 * blockSize + tagSize);
    cipher.sealer(take()).seal(9, sealed);
    for (let bit = 0; bit < 8 * sealed.length; bit++) {
      const packet = sealed.slice();
      packet[bit >> 3]! ^= 1 << (bit & 7);
      const opener = cipher.opener(take());
      opener.length(9, packet.slice(0, opener.headerSize));
      expect(() => opener.open(9, packet)).toThrow(expect.objectContaining({ code: "mac" }));
    }
  });
});

describe("key exchanges", () => {
  // Before 24.7, Node.js has no ML-KEM, and afterwards none that takes randomness.
  const fixed = compatibleAlgorithms.kex.filter((method) => method !== mlkem768X25519Sha256);
  it.each(fixed.map((method) => [method.name, method] as const))(
    "%s: agrees with the JavaScript one, from the same randomness, with node:crypto",
    (name, method) => {
      const js = byName(noble.compatibleAlgorithms.kex, name);
      const before = callsOf(nodeCrypto.createECDH, nodeCrypto.diffieHellman);
      fc.assert(
        fc.property(bytes(66), bytes(66), (a, b) => {
          // The first byte of P-521 is 0 or 1. A scalar out of range would draw more randomness.
          const draw = (from: Uint8Array) => (size: number) => from.slice(0, size).fill(0x5a, 0, 4);
          const client = method.start(draw(a));
          expect(client.clientPublic).toEqual(js.start(draw(a)).clientPublic);
          const server = js.respond(client.clientPublic, draw(b));
          expect(method.respond(client.clientPublic, draw(b))).toEqual(server);
          expect(client.finish(server.serverPublic)).toEqual(server.secret);
          expect(Object.getPrototypeOf(client.clientPublic)).toBe(Uint8Array.prototype);
        }),
        { numRuns: 5 },
      );
      expect(callsOf(nodeCrypto.createECDH, nodeCrypto.diffieHellman) - before).toBe(10);
    },
  );
});

describe("mlkem768x25519-sha256", () => {
  const js = noble.mlkem768X25519Sha256;
  const hasMlkem = "encapsulate" in process.getBuiltinModule("node:crypto");

  it("is computed by node:crypto since Node.js 24.7, and by @noble/post-quantum before", async () => {
    const [method] = (await prepareAlgorithms({ ...modernAlgorithms, kex: [mlkem768X25519Sha256] })).kex;
    expect(method === mlkem768X25519Sha256).toBe(hasMlkem);
    for (const [client, server] of [
      [js, method ?? expect.unreachable()],
      [method ?? expect.unreachable(), js],
    ] as const) {
      const started = client.start(nodeRandom);
      const { serverPublic, secret } = server.respond(started.clientPublic, nodeRandom);
      expect(started.finish(serverPublic)).toEqual(secret);
    }
  });

  it("is created once, so that a change of connections compares equal", async () => {
    const prepare = async () => (await prepareAlgorithms(modernAlgorithms)).kex[0];
    expect(await prepare()).toBe(await prepare());
  });
});

describe("sets", () => {
  const names = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name);

  it.each([
    ["modern", modernAlgorithms, noble.modernAlgorithms],
    ["compatible", compatibleAlgorithms, noble.compatibleAlgorithms],
  ] as const)("%s has the algorithms of the JavaScript set, AES-GCM first", (_set, own, js) => {
    expect(names(own.kex)).toEqual(names(js.kex));
    expect(names(own.hostKeys)).toEqual(names(js.hostKeys));
    expect(names(own.macs)).toEqual(names(js.macs));
    expect(names(own.ciphers).toSorted()).toEqual(names(js.ciphers).toSorted());
    expect(names(own.ciphers).slice(0, 3)).toEqual([
      "aes256-gcm@openssh.com",
      "aes128-gcm@openssh.com",
      "chacha20-poly1305@openssh.com",
    ]);
  });
});

describe("public keys", () => {
  it.each(compatibleAlgorithms.hostKeys.map((algorithm) => [algorithm.name, algorithm] as const))(
    "%s: verifies with node:crypto",
    (name, algorithm) => {
      const [valid] = loadTests<HostKeyVector>("hostkey", name).filter(({ result }) => result === "valid");
      const { publicKey = "", data = "", signature = "" } = valid ?? {};
      const before = callsOf(nodeCrypto.verify);
      expect(algorithm.verify(fromHex(publicKey), fromHex(data), fromHex(signature))).toBe(true);
      expect(callsOf(nodeCrypto.verify) - before).toBe(1);
      expect(algorithm.keyType).toBe(byName(noble.compatibleAlgorithms.hostKeys, name).keyType);
    },
  );
});

describe("nodeRandom", () => {
  it("returns the requested size, each time in new memory", () => {
    const given = [0, 1, 8, 16, 32, 66, 1024, 1025, 5000, 70000].map((size) => {
      const drawn = nodeRandom(size);
      expect(drawn.length).toBe(size);
      return drawn;
    });
    const buffers = new Set(given.map((drawn) => drawn.buffer));
    expect(buffers.size).toBe(given.length);
    for (const drawn of given) expect(drawn.buffer.byteLength).toBe(drawn.length);
  });

  it("never repeats over many batches", () => {
    const seen = new Set<string>();
    for (let i = 0; i < 5000; i++) seen.add(nodeRandom(16).join());
    expect(seen.size).toBe(5000);
  });

  it("sets each bit", () => {
    const or = new Uint8Array(32);
    const and = new Uint8Array(32).fill(0xff);
    for (let i = 0; i < 200; i++) {
      nodeRandom(32).forEach((byte, at) => {
        or[at]! |= byte;
        and[at]! &= byte;
      });
    }
    expect(or).toEqual(new Uint8Array(32).fill(0xff));
    expect(and).toEqual(new Uint8Array(32));
  });
});
