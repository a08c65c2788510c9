/** `ssh-ed25519` with WebCrypto, which adds no code to a bundle and verifies asynchronously. @module */
import { createEd25519, type PublicKeyAlgorithm } from "@postern/crypto";

/**
 * `ssh-ed25519` (RFC 8709) with `crypto.subtle`, for clients that check host keys. It accepts the same signatures as
 * `sshEd25519`, but returns a promise. Supported by Chrome from 137, Firefox from 129, Safari from 17, workerd, Deno,
 * Bun and Node.js. In other runtimes, and in pages that are not a secure context, the promise rejects.
 *
 * @example
 * const algorithms = { kex: [curve25519Sha256], hostKeys: [webSshEd25519], ciphers: [chacha20Poly1305], macs: [] };
 */
export const webSshEd25519: PublicKeyAlgorithm = /* @__PURE__ */ createEd25519(async (publicKey, data, signature) => {
  // Copies, because the caller may reuse the memory and WebCrypto rejects shared memory.
  const [key, signed, by] = [publicKey.slice(), data.slice(), signature.slice()];
  const { subtle } = crypto;
  return await subtle.verify("Ed25519", await subtle.importKey("raw", key, "Ed25519", false, ["verify"]), by, signed);
});
