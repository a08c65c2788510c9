/** Logging in with a private key, signing in pure JavaScript. @module */
import type { AuthMethod } from "@postern/auth";
import type { Signer } from "@postern/crypto";
import { parsePrivateKey, signer } from "@postern/noble";
import { createPrivateKeyMethod } from "@postern/tunnel";

/**
 * Logs in with a private key: the content of an unencrypted OpenSSH key file, or any signer.
 *
 * @throws SshError `key` if the text is not a private key that can be read
 * @example
 * const auth = [privateKey(await readFile("/home/me/.ssh/id_ed25519", "utf8"))];
 */
export const privateKey: (key: string | Uint8Array | Signer) => AuthMethod = /* @__PURE__ */ createPrivateKeyMethod(
  (text) => signer(parsePrivateKey(text)),
);
