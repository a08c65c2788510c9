/** Reads private keys of every format. Other formats than the plain one of OpenSSH are loaded when needed. @module */
import type { Signer } from "@postern/crypto";
import { type Bytes, describeType, expectType, fromUtf8, SshError } from "@postern/wire";
import type { KeyFileCrypto } from "./files/crypto.ts";
import type { PrivateKey, PublicHalf } from "./key-types.ts";
import { needsKeyFileReader } from "./private-key.ts";

/** A passphrase, or a function that asks for it. The function is called only if the key is encrypted. */
export type Passphrase = string | (() => string | Promise<string>);

/** Options of `readPrivateKey`. */
export interface ReadPrivateKeyOptions {
  readonly passphrase?: Passphrase | undefined;
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
      return platform.signer(platform.parse(typeof file === "string" ? file : fromUtf8(file)));
    }
    const [{ readKeyFile }, crypto] = await Promise.all([loadKeyFiles(), platform.crypto()]);
    return platform.signer(await readKeyFile(file, options.passphrase, platform.publicHalf, crypto));
  };
}

const known: readonly string[] = ["passphrase"];

/** @throws SshError `misuse` for an unknown option or a passphrase of another type */
export function checkReadOptions(name: string, options: ReadPrivateKeyOptions): void {
  expectType(`the options of ${name}`, options, "object");
  const unknown = Object.keys(options).find((option) => !known.includes(option));
  if (unknown !== undefined)
    throw new SshError("misuse", `expected the options ${known.join(", ")} of ${name}, got ${unknown}`);
  const { passphrase } = options;
  if (passphrase === undefined || typeof passphrase === "string" || typeof passphrase === "function") return;
  throw new SshError("misuse", `expected passphrase to be a string or a function, got ${describeType(passphrase)}`);
}
