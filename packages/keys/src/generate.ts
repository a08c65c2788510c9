/** Generates private keys in the OpenSSH format (OpenSSH PROTOCOL.key). @module */
import {
  drawScalar,
  type NistCurve,
  nistp256,
  nistp384,
  nistp521,
  type Random,
  RsaLimits,
  webRandom,
} from "@postern/crypto";
import { describeType, expectText, expectType, SshError, Writer } from "@postern/wire";
import { encodePlain } from "./encode-private-key.ts";
import type { KeyFileCrypto } from "./files/crypto.ts";
import type { PrivateKeyJwk } from "./jwk.ts";
import { expectOptions, loadKeyFiles } from "./key-reader.ts";
import type { PrivateKey, PublicHalf } from "./key-types.ts";

/** Options of `generatePrivateKey`. */
export interface GenerateOptions {
  /** as `ssh-keygen -t`; default `ed25519` */
  readonly type?: "ed25519" | "ecdsa" | "rsa" | undefined;
  /** `ecdsa`: 256 (default), 384 or 521. `rsa`: 2048 to 16384, default 3072. */
  readonly bits?: number | undefined;
  /** the text that `ssh-add -l` and `authorized_keys` show beside the key */
  readonly comment?: string | undefined;
  /** encrypts the file with aes256-ctr and 24 rounds of bcrypt, as ssh-keygen does since version 9.4 */
  readonly passphrase?: string | undefined;
  /** not used for the numbers of an RSA key, which the platform draws */
  readonly random?: Random | undefined;
}

/** Options of a key that is generated synchronously. */
export interface PlainGenerateOptions extends GenerateOptions {
  readonly type?: "ed25519" | "ecdsa" | undefined;
  readonly passphrase?: undefined;
}

/** Returns the text of a key file: at once if it is neither RSA nor encrypted, otherwise a promise. */
export interface GeneratePrivateKey {
  (options?: PlainGenerateOptions): string;
  (options: GenerateOptions & ({ readonly type: "rsa" } | { readonly passphrase: string })): Promise<string>;
  (options: GenerateOptions): string | Promise<string>;
}

/** The parts of a provider that generating needs. */
export interface GeneratorPlatform {
  readonly publicHalf: PublicHalf;
  /** Loads the primitives for an encrypted file. */
  crypto(): Promise<KeyFileCrypto>;
  /** Generates an RSA key with the exponent 65537. */
  generateRsa(bits: number): Promise<PrivateKeyJwk>;
}

/** Creates a provider's `generatePrivateKey`. */
export function createKeyGenerator(platform: GeneratorPlatform): GeneratePrivateKey {
  const { publicHalf } = platform;
  const generate = (options: GenerateOptions = {}): string | Promise<string> => {
    expectOptions("generatePrivateKey", options, ["type", "bits", "comment", "passphrase", "random"]);
    const { type = "ed25519", bits, comment = "", passphrase, random = webRandom } = options;
    expectType("comment", comment, "string");
    expectType("random", random, "function");
    if (passphrase !== undefined) expectText("passphrase", passphrase);
    const size = checkBits(type, bits);
    if (type !== "rsa" && passphrase === undefined) return encodePlain(draw(size, comment, random, publicHalf), random);
    return (async () => {
      const [files, primitives] = await Promise.all([loadKeyFiles(), platform.crypto()]);
      const key =
        type === "rsa"
          ? files.keyOfJwk(await platform.generateRsa(bits ?? defaultRsaBits), comment, publicHalf)
          : draw(size, comment, random, publicHalf);
      return passphrase === undefined
        ? encodePlain(key, random)
        : files.encodeEncrypted(key, passphrase, random, primitives);
    })();
  };
  return generate as GeneratePrivateKey;
}

const defaultRsaBits = 3072;

/** Returns the curve of an ECDSA key. */
function checkBits(type: unknown, bits: number | undefined): NistCurve | undefined {
  const expected = (what: string) =>
    new SshError("misuse", `expected ${what}, got ${typeof bits === "number" ? bits : describeType(bits)}`);
  switch (type) {
    case "ed25519":
      // As ssh-keygen, which ignores -b for this type.
      return undefined;
    case "ecdsa": {
      const curve = [nistp256, nistp384, nistp521].find((one) => one.bits === (bits ?? 256));
      if (curve === undefined) throw expected("bits of an ECDSA key to be 256, 384 or 521");
      return curve;
    }
    case "rsa": {
      const { minBits, maxBits } = RsaLimits;
      if (bits === undefined || (Number.isInteger(bits) && bits >= minBits && bits <= maxBits)) return undefined;
      throw expected(`bits of an RSA key to be from ${minBits} to ${maxBits}`);
    }
    default:
      throw new SshError(
        "misuse",
        `expected type to be ed25519, ecdsa or rsa, got ${typeof type === "string" ? "another name" : describeType(type)}`,
      );
  }
}

function draw(curve: NistCurve | undefined, comment: string, random: Random, publicHalf: PublicHalf): PrivateKey {
  if (curve !== undefined) {
    const type = `ecdsa-sha2-${curve.name}` as const;
    const scalar = drawScalar(curve, random);
    const point = publicHalf.ecdsa(curve, scalar);
    const publicKey = new Writer(256).text(type).text(curve.name).string(point).finish();
    return { type, publicKey, curve, point, scalar, comment };
  }
  const seed = random(32);
  const point = publicHalf.ed25519(seed);
  return {
    type: "ssh-ed25519",
    publicKey: new Writer().text("ssh-ed25519").string(point).finish(),
    point,
    seed,
    comment,
  };
}
