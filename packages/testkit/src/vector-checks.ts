/** Checks of an implementation against the test vectors of a file. Runs in every runtime. @module */
import type { Cipher, DirectionKeys, Hash, KexMethod, Mac, PublicKeyAlgorithm } from "@postern/crypto";
import { sha256 } from "@postern/noble";
import { type Bytes, concat, fromHex, putUint32, SshError, toHex } from "@postern/wire";

/** A file of `test-vectors/`; its README describes the fields. */
export interface VectorFile {
  readonly algorithm: string;
  readonly kind: string;
  readonly numberOfTests: number;
  readonly testGroups: readonly VectorGroup[];
}

/** The tests of one source. */
export interface VectorGroup {
  readonly source: { readonly name: string; readonly version: string; readonly command: string };
  readonly tests: readonly Vector[];
}

/** The fields that all vectors have. Bytes are hexadecimal. */
export interface Vector {
  readonly tcId: number;
  readonly comment: string;
  readonly flags: readonly string[];
  readonly result: "valid" | "invalid" | "acceptable";
  /** The code of the expected SshError. */
  readonly error?: string;
}

export interface CipherVector extends Vector {
  readonly key: string;
  readonly iv: string;
  readonly mac?: { readonly algorithm: string; readonly key: string };
  readonly packets?: readonly PacketVector[];
  readonly blocks?: string;
  readonly sealed?: string;
}

interface PacketVector {
  readonly sequence: number;
  readonly payload?: string;
  readonly payloadSize?: number;
  readonly padding?: string;
  readonly sealed?: string;
  readonly sealedSha256?: string;
  readonly error?: string;
}

export interface MacVector extends Vector {
  readonly key: string;
  readonly sequence: number;
  readonly data: string;
  readonly tag: string;
}

export interface HashVector extends Vector {
  readonly data: string;
  readonly digest: string;
}

export interface KexVector extends Vector {
  /** Absent if both roles do the same. */
  readonly role?: "client" | "server";
  readonly random: string;
  readonly ours: string;
  readonly theirs: string;
  readonly secret: string;
}

export interface HostKeyVector extends Vector {
  readonly publicKey: string;
  readonly data: string;
  readonly signature: string;
}

/** A test: its title cites the clause, and `run` throws if the implementation is wrong. */
export interface VectorTest {
  readonly title: string;
  readonly run: () => void | Promise<void>;
}

/** Seals and opens each packet. `macs` are those of the same provider. */
export function cipherTests(file: VectorFile, cipher: Cipher, macs: readonly Mac[]): VectorTest[] {
  return testsOf<CipherVector>(file, cipher.name, (vector) =>
    vector.blocks === undefined ? checkPackets(cipher, macs, vector) : checkBlocks(cipher, vector),
  );
}

export function macTests(file: VectorFile, mac: Mac): VectorTest[] {
  return testsOf<MacVector>(file, mac.name, (vector) => {
    const tagOf = mac.keyed(fromHex(vector.key));
    // Twice, because the first call must not change the state.
    for (let round = 0; round < 2; round++) equal(toHex(tagOf(vector.sequence, fromHex(vector.data))), vector.tag);
    equal(mac.tagSize, vector.tag.length / 2);
  });
}

export function hashTests(file: VectorFile, hash: Hash): VectorTest[] {
  return testsOf<HashVector>(file, hash.name, (vector) => {
    equal(toHex(hash.digest(fromHex(vector.data))), vector.digest);
    equal(hash.size, vector.digest.length / 2);
  });
}

/**
 * Checks both roles: with the same randomness, each returns the same values. A server whose KEM draws its randomness
 * itself, as that of `node:crypto` does, is checked for its errors and sizes.
 */
export function kexTests(file: VectorFile, method: KexMethod): VectorTest[] {
  return testsOf<KexVector>(file, method.name, (vector) => {
    const theirs = fromHex(vector.theirs);
    const { role, error } = vector;
    if (role !== "server") {
      const client = method.start(scripted(fromHex(vector.random)));
      if (error !== undefined) throwsCode(error, () => client.finish(theirs));
      else {
        equal(toHex(client.clientPublic), vector.ours);
        equal(toHex(client.finish(theirs)), vector.secret);
      }
    }
    if (role !== "client") {
      let drawn = 0;
      const script = scripted(fromHex(vector.random));
      const random = (size: number) => {
        drawn += size;
        return script(size);
      };
      if (error !== undefined) return void throwsCode(error, () => method.respond(theirs, random));
      const server = method.respond(theirs, random);
      equal(server.serverPublic.length, vector.ours.length / 2);
      equal(server.secret.length, vector.secret.length / 2);
      if (role === "server" && drawn < vector.random.length / 2) return;
      equal(toHex(server.serverPublic), vector.ours);
      equal(toHex(server.secret), vector.secret);
    }
  });
}

export function hostKeyTests(file: VectorFile, algorithm: PublicKeyAlgorithm): VectorTest[] {
  return testsOf<HostKeyVector>(file, algorithm.name, async (vector) => {
    const verify = () => algorithm.verify(fromHex(vector.publicKey), fromHex(vector.data), fromHex(vector.signature));
    if (vector.error !== undefined) throwsCode(vector.error, verify);
    else equal(await verify(), isAccepted(vector));
  });
}

/** Expects an {@link SshError} with the code, and returns it. */
export function throwsCode(code: string, run: () => unknown): SshError {
  try {
    run();
  } catch (error) {
    ok(error instanceof SshError, `expected an SshError, got ${String(error)}`);
    equal(error.code, code, error.message);
    return error;
  }
  throw new Error(`expected an SshError with the code ${code}, got none`);
}

/** The flags of `acceptable` tests that Postern accepts. */
const accepted: readonly string[] = [
  "EmptyNameInKexinit",
  "InvalidUtf8",
  "LaxerThanOpenSsh",
  "NoUserPresence",
  "OmittedLanguage",
  "OmittedLeadingZeros",
  "PaddedFingerprint",
  "UnusualName",
];

/** Returns whether Postern accepts the input. */
export function isAccepted({ result, flags }: Vector): boolean {
  return result === "valid" || (result === "acceptable" && flags.some((flag) => accepted.includes(flag)));
}

/** Returns the tests of all groups of a file. */
export function vectorsOf<V extends Vector>(file: VectorFile): readonly V[] {
  return file.testGroups.flatMap(({ tests }) => tests) as unknown as readonly V[];
}

/** Returns a test for each vector of a file. */
export function testsOf<V extends Vector>(
  file: VectorFile,
  algorithm: string,
  check: (vector: V) => void | Promise<void>,
): VectorTest[] {
  equal(file.algorithm, algorithm);
  ok(file.numberOfTests > 0, "expected vectors, got none");
  return file.testGroups.flatMap(({ source, tests }) =>
    tests.map((vector) => ({
      title: `${algorithm} #${vector.tcId} ${vector.comment} (${source.name})`,
      run: () => check(vector as V),
    })),
  );
}

export function ok(value: unknown, message = "expected a true value"): asserts value {
  if (!value) throw new Error(message);
}

export function equal(got: unknown, expected: unknown, message = ""): void {
  if (!Object.is(got, expected)) throw new Error(`expected ${String(expected)}, got ${String(got)}; ${message}`);
}

function checkPackets(cipher: Cipher, macs: readonly Mac[], vector: CipherVector): void {
  const sealer = cipher.sealer(directionKeys(vector, macs));
  const opener = cipher.opener(directionKeys(vector, macs));
  const { packets = [] } = vector;
  ok(packets.length > 0);
  for (const packet of packets) {
    if (packet.error !== undefined) {
      const corrupt = fromHex(packet.sealed ?? "");
      opener.length(packet.sequence, corrupt.slice(0, opener.headerSize));
      throwsCode(packet.error, () => opener.open(packet.sequence, corrupt));
      continue;
    }
    const plain = layOut(packet, sealer.tagSize);
    const sealed = plain.slice();
    sealer.seal(packet.sequence, sealed);
    if (packet.sealed !== undefined) equal(toHex(sealed), packet.sealed);
    else equal(toHex(sha256.digest(sealed)), packet.sealedSha256);
    const body = plain.subarray(4, plain.length - sealer.tagSize);
    equal(opener.length(packet.sequence, sealed.slice(0, opener.headerSize)), body.length);
    equal(toHex(opener.open(packet.sequence, sealed)), toHex(body));
  }
}

/** Returns length || padding_length || payload || padding || space for the tag (RFC 4253 section 6). */
function layOut(packet: PacketVector, tagSize: number): Bytes {
  const payload =
    packet.payload === undefined
      ? Uint8Array.from({ length: packet.payloadSize ?? 0 }, (_, index) => index % 256)
      : fromHex(packet.payload);
  const padding = fromHex(packet.padding ?? "");
  const length = new Uint8Array(4);
  putUint32(length, 0, 1 + payload.length + padding.length);
  return concat(length, Uint8Array.of(padding.length), payload, padding, new Uint8Array(tagSize));
}

/** Checks the bare key stream: a packet without a tag whose length is not encrypted. */
function checkBlocks(cipher: Cipher, vector: CipherVector): void {
  const none = { name: "none", keySize: 0, tagSize: 0, etm: true, keyed: () => () => new Uint8Array(0) };
  const keys = () => ({
    key: fromHex(vector.key),
    iv: fromHex(vector.iv),
    mac: { algorithm: none, key: new Uint8Array(0) },
  });
  const packet = concat(new Uint8Array(4), fromHex(vector.blocks ?? ""));
  cipher.sealer(keys()).seal(0, packet);
  equal(toHex(packet.subarray(4)), vector.sealed);
  equal(toHex(cipher.opener(keys()).open(0, packet)), vector.blocks);
}

function directionKeys(vector: CipherVector, macs: readonly Mac[]): DirectionKeys {
  const { mac } = vector;
  const algorithm = macs.find(({ name }) => name === mac?.algorithm);
  ok((mac === undefined) === (algorithm === undefined), `expected the MAC ${mac?.algorithm}, got none`);
  return {
    key: fromHex(vector.key),
    iv: fromHex(vector.iv),
    mac: mac && algorithm && { algorithm, key: fromHex(mac.key) },
  };
}

/** Returns the bytes in order, and throws if more are drawn. */
export function scripted(bytes: Bytes): (size: number) => Bytes {
  let at = 0;
  return (size) => {
    ok(at + size <= bytes.length, `expected at most ${bytes.length} bytes of randomness to be drawn, got ${at + size}`);
    at += size;
    return bytes.slice(at - size, at);
  };
}
