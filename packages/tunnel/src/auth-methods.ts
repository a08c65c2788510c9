/** Login methods from keys. @module */
import { type AuthDialog, type AuthMethod, publickey } from "@postern/auth";
import type { Signer } from "@postern/crypto";
import { checkReadOptions, needsKeyFileReader, type ReadPrivateKeyOptions, withCertificate } from "@postern/keys";
import { type Bytes, fromUtf8 } from "@postern/wire";

/** Options of `privateKey`. */
export type PrivateKeyOptions = ReadPrivateKeyOptions;

/** The type of `privateKey`. */
export type PrivateKeyMethod = (key: string | Bytes | Signer, options?: PrivateKeyOptions) => AuthMethod;

/**
 * Creates the function `privateKey` of a platform. A plain key in the OpenSSH format is parsed at once, any other file
 * is read when the login needs it.
 *
 * @param parse parses the text of a plain key
 * @param read reads any file; a program that passes no other file does not load it
 * @throws SshError `key`, from the returned function, if the file is not a private key that can be read; `misuse` for
 *   an unknown option
 */
export function createPrivateKeyMethod(
  parse: (text: string) => Signer,
  read: (file: string | Bytes, options: ReadPrivateKeyOptions) => Promise<Signer>,
): PrivateKeyMethod {
  return (key, options = {}) => {
    checkReadOptions("privateKey", options);
    const { certificate } = options;
    if (typeof key !== "string" && !(key instanceof Uint8Array)) return publickey(withCertificate(key, certificate));
    if (needsKeyFileReader(key)) return createDeferredKey(() => read(key, options));
    return publickey(withCertificate(parse(typeof key === "string" ? key : fromUtf8(key)), certificate));
  };
}

/** Creates a method whose key is read during the login. A key that was read once is used by later logins, too. */
export function createDeferredKey(read: () => Promise<Signer>): AuthMethod {
  let known: AuthMethod | undefined;
  return {
    name: "publickey",
    // The key may be RSA, which has two algorithms.
    needsServerAlgorithms: true,
    oneRequest: true,
    begin(context) {
      let dialog: AuthDialog | undefined = known?.begin(context);
      return {
        async next(answer) {
          known ??= publickey(await read());
          dialog ??= known.begin(context);
          return dialog.next(answer);
        },
      };
    },
  };
}
