/** Reads private keys of every format. Other formats than the plain one of OpenSSH are loaded when needed. @module */
import type { Signer } from "@postern/crypto";
import { type Bytes, describeType, expectType, fromUtf8, quote, SshError } from "@postern/wire";
import { createCertificateSigner } from "./certificate-signer.ts";
import type { KeyFileCrypto } from "./files/crypto.ts";
import type { Passphrase, PrivateKey, PublicHalf } from "./key-types.ts";
import { needsKeyFileReader } from "./private-key.ts";

/** Options of `readPrivateKey`. */
export interface ReadPrivateKeyOptions {
  /** of an encrypted file: a text, or a function that returns it or a promise of it */
  readonly passphrase?: Passphrase | undefined;
  /** a user certificate of the key: the content of a file such as `id_ed25519-cert.pub`, or the blob */
  readonly certificate?: string | Bytes | undefined;
}

/** The parts of a provider that reading needs. */
export interface KeyReaderPlatform {
  readonly publicHalf: PublicHalf;
  /** Parses an unencrypted key in the OpenSSH format. */
  parse(text: string): PrivateKey;
  signer(key: PrivateKey): Signer;
  /** Loads the primitives for other files. */
  crypto(): Promise<KeyFileCrypto>;
}

/** Loads the code for encrypted keys and other formats. */
export function loadKeyFiles(): Promise<typeof import("./files/index.ts")> {
  return import("./files/index.ts");
}

/** Creates a provider's `readPrivateKey`. */
export function createKeyReader(
  platform: KeyReaderPlatform,
): (file: string | Bytes, options?: ReadPrivateKeyOptions) => Promise<Signer> {
  return async (file, options = {}) => {
    checkReadOptions("readPrivateKey", options);
    if (!needsKeyFileReader(file)) {
      const key = platform.parse(typeof file === "string" ? file : fromUtf8(file));
      return withCertificate(platform.signer(key), options.certificate);
    }
    const [{ readKeyFile }, crypto] = await Promise.all([loadKeyFiles(), platform.crypto()]);
    const key = await readKeyFile(file, options.passphrase, platform.publicHalf, crypto);
    return withCertificate(platform.signer(key), options.certificate);
  };
}

/**
 * Adds a user certificate, if there is one, to a signer.
 * @throws SshError `key` if the certificate is malformed, of another key, or of a host
 */
export function withCertificate(signer: Signer, certificate: string | Bytes | undefined): Signer {
  if (certificate === undefined) return signer;
  // A blob begins with a length of less than 2^24, a text does not begin with a zero.
  const isText = typeof certificate !== "string" && certificate[0] !== 0;
  return createCertificateSigner(signer, isText ? fromUtf8(certificate) : certificate, { type: "user" });
}

const known: readonly string[] = ["passphrase", "certificate"];

/** @throws SshError `misuse` for an unknown option or one of another type */
export function checkReadOptions(name: string, options: ReadPrivateKeyOptions): void {
  expectOptions(name, options, known);
  const { passphrase, certificate } = options;
  if (certificate !== undefined && typeof certificate !== "string") {
    expectType("certificate", certificate, "Uint8Array");
  }
  if (passphrase === undefined || typeof passphrase === "string" || typeof passphrase === "function") return;
  throw new SshError("misuse", `expected passphrase to be a string or a function, got ${describeType(passphrase)}`);
}

/** @throws SshError `misuse` for anything but an object with these options: a misspelt one would have no effect */
export function expectOptions(name: string, options: object, known: readonly string[]): void {
  expectType(`the options of ${name}`, options, "object");
  const unknown = Object.keys(options).find((option) => !known.includes(option));
  if (unknown === undefined) return;
  throw new SshError("misuse", `expected the options ${known.join(", ")} of ${name}, got ${quote(unknown, 40)}`);
}
