/** Logon methods in pure JavaScript. @module */
import type { AuthMethod } from "@postern/auth";
import type { Signer } from "@postern/crypto/platform";
import { decodePrivateKey, type PrivateKey, signer } from "@postern/keys";
import { privateKeyWith } from "../auth-methods.ts";

/**
 * Makes the function `privateKey` of a platform: `sign` turns a decoded key into a signer.
 *
 * @throws SshError `key`, from the function made, when the text is no private key that can be read
 */
export function privateKeyMethod(sign: (key: PrivateKey) => Signer): (key: string | Signer) => AuthMethod {
  return privateKeyWith((text) => sign(decodePrivateKey(text)));
}

/**
 * Logs on with a private key: the text of an unencrypted OpenSSH key file, or any signer.
 *
 * @throws SshError `key` when the text is no private key that can be read
 * @example
 * const auth = [privateKey(await readFile("/home/me/.ssh/id_ed25519", "utf8"))];
 */
export const privateKey: (key: string | Signer) => AuthMethod = /* @__PURE__ */ privateKeyMethod(signer);
