/** Login methods from what users have at hand. @module */
import { type AuthMethod, publickey } from "@postern/auth";
import type { Signer } from "@postern/crypto";
import { SshError } from "@postern/wire";

/**
 * Makes the function `privateKey` of a platform: `read` turns the text of a key file into a signer.
 *
 * @throws SshError `key`, from the function made, when the text is no private key that can be read
 */
export function createPrivateKeyMethod(read: (text: string) => Signer): (key: string | Signer) => AuthMethod {
  return (key) => {
    if ((key as unknown) instanceof Uint8Array) {
      throw new SshError("misuse", "expected the text of a private key or a signer, got bytes; read the file as UTF-8");
    }
    return publickey(typeof key === "string" ? read(key) : key);
  };
}
