/** Reads private keys of every format and writes them in the OpenSSH format (OpenSSH PROTOCOL.key). @module */
import { type Random, webRandom } from "@postern/crypto";
import { type Bytes, expectType, fromUtf8, SshError } from "@postern/wire";
import { encodePlain } from "./encode-private-key.ts";
import { expectOptions, type KeyReaderPlatform, loadKeyFiles } from "./key-reader.ts";
import type { Passphrase, PrivateKey } from "./key-types.ts";
import { needsKeyFileReader } from "./private-key.ts";

/** Options of `rewritePrivateKey`. */
export interface RewriteOptions {
  /** of an encrypted file: a text, or a function that returns it or a promise of it */
  readonly passphrase?: Passphrase | undefined;
  /** encrypts the new text with aes256-ctr and 24 rounds of bcrypt; empty: the new text is not encrypted */
  readonly newPassphrase: string;
  /** default: that of the file */
  readonly comment?: string | undefined;
  readonly random?: Random | undefined;
}

/** A private key file in the OpenSSH format, and its public parts. */
export interface RewrittenKey {
  /** the text of the file: a secret */
  readonly text: string;
  readonly publicKey: Bytes;
  readonly comment: string;
}

/** Creates a provider's `rewritePrivateKey`. */
export function createKeyRewriter(
  platform: Omit<KeyReaderPlatform, "signer">,
): (file: string | Bytes, options: RewriteOptions) => Promise<RewrittenKey> {
  return async (file, options) => {
    expectOptions("rewritePrivateKey", options, ["passphrase", "newPassphrase", "comment", "random"]);
    const { passphrase, newPassphrase, comment, random = webRandom } = options;
    expectType("newPassphrase", newPassphrase, "string");
    expectType("random", random, "function");
    if (comment !== undefined) expectType("comment", comment, "string");
    if (/[\r\n]/.test(comment ?? "")) throw new SshError("misuse", "expected a comment of one line, got several lines");
    const [files, crypto] = await Promise.all([loadKeyFiles(), platform.crypto()]);
    const read: PrivateKey = needsKeyFileReader(file)
      ? await files.readKeyFile(file, passphrase, platform.publicHalf, crypto)
      : platform.parse(typeof file === "string" ? file : fromUtf8(file));
    const key = comment === undefined ? read : { ...read, comment };
    const text =
      newPassphrase === "" ? encodePlain(key, random) : await files.encodeEncrypted(key, newPassphrase, random, crypto);
    return { text, publicKey: key.publicKey, comment: key.comment };
  };
}
