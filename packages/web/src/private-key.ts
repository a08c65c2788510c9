/** Logging in with a private key, signing in pure JavaScript. @module */
import { parsePrivateKey, readPrivateKey, signer } from "@postern/noble";
import { createPrivateKeyMethod, type PrivateKeyMethod } from "@postern/tunnel";

/**
 * Logs in with a private key: the content of a key file in any format of `readPrivateKey`, or any signer. A plain key
 * in the OpenSSH format is checked at once, any other file during the login, which loads the code for it.
 *
 * @throws SshError `key` if the text is not a private key that can be read, `misuse` for an unknown option
 * @example
 * const auth = [privateKey(text, { passphrase: () => askTheUser() })];
 */
export const privateKey: PrivateKeyMethod = /* @__PURE__ */ createPrivateKeyMethod(
  (text) => signer(parsePrivateKey(text)),
  readPrivateKey,
);
