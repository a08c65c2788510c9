/** Ed25519 in pure JavaScript. @module */
import { ed25519 } from "@noble/curves/ed25519.js";
import { createEd25519, type PublicKeyAlgorithm } from "@postern/crypto";

/** `ssh-ed25519` in pure JavaScript. Without `zip215: false`, noble would accept signatures that RFC 8032 rejects. */
export const sshEd25519: PublicKeyAlgorithm = /* @__PURE__ */ createEd25519((publicKey, data, signature) =>
  ed25519.verify(signature, data, publicKey, { zip215: false }),
);
