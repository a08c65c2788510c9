/** Chooses, before a handshake, which implementation of each algorithm runs. @module */
import {
  type Algorithms,
  cipherWorks,
  type KexMethod,
  kexWorks,
  type PublicKeyAlgorithm,
  succeeds,
} from "@postern/crypto";
import { type Bytes, fromHex } from "@postern/wire";
import * as own from "./algorithms.ts";
import { publicKeyObject } from "./public-keys.ts";

type Algorithm = Algorithms[keyof Algorithms][number];

/**
 * Tests of the algorithms that some runtime lacks: Node.js before 24.7 has no ML-KEM, Deno no P-521, and none has
 * ChaCha20-Poly1305 if it forbids WebAssembly. The other algorithms need no test.
 */
const tests: ReadonlyMap<Algorithm, () => boolean> = new Map<Algorithm, () => boolean>([
  [own.aes128Gcm, cipher(own.aes128Gcm, "34a6fb8cdf3367d2c13fa985001e56fbf121b283cce3948f06083b7937fc47fb")],
  [own.aes256Gcm, cipher(own.aes256Gcm, "a26c3524dd36d0fb1cf19adc330e2dfb6191503c4316f336cf5d7fe4741b3496")],
  [
    own.chacha20Poly1305,
    cipher(own.chacha20Poly1305, "4db1f2b5e8c31c5ec27a825d1a236c65594b8d64fe255c8e3c83bb91a6c1f478"),
  ],
  [own.aes128Ctr, cipher(own.aes128Ctr, "0a940bb5416ef045f1c39458c653ea5a3edf51abf681f8dd12db70c584ddb044")],
  [own.aes192Ctr, cipher(own.aes192Ctr, "0060bffe46834bb8da5cf9a61ff220aeca177fb39ba0bf2f52ac95f0784b5f36")],
  [own.aes256Ctr, cipher(own.aes256Ctr, "5a6e045708fb7196f02e553d02c3a69211c3ad2d107d03058649602a9eed1790")],
  [own.mlkem768X25519Sha256, () => kexWorks(own.mlkem768X25519Sha256)],
  [own.curve25519Sha256, () => kexWorks(own.curve25519Sha256)],
  [own.curve25519Sha256Libssh, () => supports(own.curve25519Sha256)],
  [own.sntrup761X25519Sha512, () => supports(own.curve25519Sha256)],
  [own.sntrup761X25519Sha512OpenSsh, () => supports(own.curve25519Sha256)],
  [own.ecdhNistp256, () => kexWorks(own.ecdhNistp256)],
  [own.ecdhNistp384, () => kexWorks(own.ecdhNistp384)],
  [own.ecdhNistp521, () => kexWorks(own.ecdhNistp521)],
  [own.dhGroup14Sha256, () => kexWorks(own.dhGroup14Sha256)],
  [own.dhGroup16Sha512, () => supports(own.dhGroup14Sha256)],
  [own.dhGroup18Sha512, () => supports(own.dhGroup14Sha256)],
  [own.dhGroupExchangeSha256, () => supports(own.dhGroup14Sha256)],
  // RFC 8032 section 7.1, TEST 1; the base points of the curves, FIPS 186-4 appendix D.1.2.
  [
    own.sshEd25519,
    accepts({
      kty: "OKP",
      crv: "Ed25519",
      x: fromHex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
    }),
  ],
  [
    own.ecdsaNistp256,
    point(
      "P-256",
      "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296" +
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
    ),
  ],
  [
    own.ecdsaNistp384,
    point(
      "P-384",
      "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7" +
        "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f",
    ),
  ],
  [
    own.ecdsaNistp521,
    point(
      "P-521",
      "00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1d" +
        "c127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66011839296a789a3bc0045c8a5fb42c7d1bd998f5444957" +
        "9b446817afbd17273e662c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650",
    ),
  ],
  // Any odd modulus of 2048 bits will do.
  [own.rsaSha2_512, accepts({ kty: "RSA", n: new Uint8Array(256).fill(0xff), e: Uint8Array.of(3) })],
  [own.rsaSha2_256, () => supports(own.rsaSha2_512)],
]);

const results = new Map<Algorithm, boolean>();

/**
 * Replaces the algorithms of this package that the runtime does not support by those of `@postern/noble`, which is
 * loaded only then; Node.js supports them all since 24.7. Each algorithm is tested once per process.
 * `ReverseTunnel` and `TunnelHost` call this function. On Bun and Deno, programs that use `connect()` of `@postern/ssh`
 * call it and pass its result as `algorithms`.
 *
 * @example
 * const algorithms = await prepareAlgorithms(modernAlgorithms);
 * const connection = await connect(pipe, { algorithms, random: nodeRandom, user, auth, hostKey });
 */
export async function prepareAlgorithms(algorithms: Algorithms): Promise<Algorithms> {
  const { hostKeys, ciphers, macs } = algorithms;
  const kex = await withMlkem(algorithms.kex);
  if ([...ciphers, ...kex, ...hostKeys].every(supports)) return { ...algorithms, kex };
  const { compatibleAlgorithms } = await import("@postern/noble");
  const choose = <One extends Algorithm>(ours: readonly One[], substitutes: readonly One[]): readonly One[] =>
    ours.map((one) => (supports(one) ? one : (substitutes.find(({ name }) => name === one.name) ?? one)));
  return {
    kex: choose(kex, compatibleAlgorithms.kex),
    hostKeys: hostKeys.map((one) => substitute(one, compatibleAlgorithms.hostKeys)),
    ciphers: choose(ciphers, compatibleAlgorithms.ciphers),
    macs,
  };
}

let mlkem: KexMethod | undefined;

/**
 * Node.js before 24.7 lacks ML-KEM alone. Loading it takes 40 ms the first time, and loading all of `@postern/noble`
 * would take 200 ms.
 */
async function withMlkem(kex: Algorithms["kex"]): Promise<Algorithms["kex"]> {
  const native = own.mlkem768X25519Sha256;
  if (!kex.includes(native) || supports(native) || !supports(own.curve25519Sha256)) return kex;
  const { mlkem768 } = await import("@postern/noble/mlkem768");
  mlkem ??= own.mlkem768X25519With(mlkem768);
  const substitute = mlkem;
  return kex.map((method) => (method === native ? substitute : method));
}

/** Certificates and security keys are built on other algorithms, which may need a substitute. */
function substitute(one: PublicKeyAlgorithm, substitutes: readonly PublicKeyAlgorithm[]): PublicKeyAlgorithm {
  if (supports(one)) return one;
  if (one.base !== undefined) return one.base.rebuild(substitute(one.base.algorithm, substitutes));
  return substitutes.find(({ name }) => name === one.name) ?? one;
}

/** Whether the runtime supports an algorithm of this package; those of others are assumed to work. */
function supports(algorithm: Algorithm): boolean {
  if ("base" in algorithm && algorithm.base !== undefined) return supports(algorithm.base.algorithm);
  const known = results.get(algorithm);
  if (known !== undefined) return known;
  const result = tests.get(algorithm)?.() ?? true;
  results.set(algorithm, result);
  return result;
}

function cipher(algorithm: Algorithms["ciphers"][number], answer: string): () => boolean {
  return () => cipherWorks(algorithm, answer);
}

/** Importing a valid key shows that the platform supports its type; verifying a signature would take milliseconds. */
function accepts(jwk: Readonly<Record<string, string | Bytes>>): () => boolean {
  return () =>
    succeeds(() => {
      publicKeyObject(jwk);
      return true;
    });
}

function point(crv: string, coordinates: string): () => boolean {
  const both = fromHex(coordinates);
  const size = both.length / 2;
  return accepts({ kty: "EC", crv, x: both.subarray(0, size), y: both.subarray(size) });
}
