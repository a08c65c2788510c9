/** `ssh-ed25519` by WebCrypto, which needs no code of its own in a bundle and gives its verdict later. @module */
import type { PublicKeyAlgorithm } from "@postern/crypto";
import { createEd25519 } from "@postern/crypto";

/**
 * `ssh-ed25519` (RFC 8709) by `crypto.subtle`, for host keys a client checks: it takes and refuses what `sshEd25519` does, and gives a
 * promise. Chrome from 137, Firefox from 129, Safari from 17, workerd, Deno, Bun and Node.js have Ed25519; elsewhere, and in a page that is
 * no secure context, the promise rejects.
 *
 * @example
 * const algorithms = { kex: [curve25519Sha256], hostKeys: [webSshEd25519], ciphers: [chacha20Poly1305], macs: [] };
 */
export const webSshEd25519: PublicKeyAlgorithm = /* @__PURE__ */ createEd25519(async (publicKey, data, signature) => {
  // Copies, made before we wait: WebCrypto refuses shared memory.
  const [key, signed, by] = [publicKey.slice(), data.slice(), signature.slice()];
  const { subtle } = crypto;
  return await subtle.verify("Ed25519", await subtle.importKey("raw", key, "Ed25519", false, ["verify"]), by, signed);
});
