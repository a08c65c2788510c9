/** Login methods from keys. @module */
import { type AuthMethod, publickey } from "@postern/auth";
import type { Signer } from "@postern/crypto";
import { type Bytes, fromUtf8 } from "@postern/wire";

/**
 * Creates the function `privateKey` of a platform. `read` parses the text of a key file.
 *
 * @throws SshError `key`, from the returned function, if the text is not a private key that can be read
 */
export function createPrivateKeyMethod(read: (text: string) => Signer): (key: string | Bytes | Signer) => AuthMethod {
  return (key) => {
    if (typeof key === "string") return publickey(read(key));
    return publickey(key instanceof Uint8Array ? read(fromUtf8(key)) : key);
  };
}
