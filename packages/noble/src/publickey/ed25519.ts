/** Ed25519 in pure JavaScript. @module */
import { ed25519 } from "@noble/curves/ed25519.js";
import type { PublicKeyAlgorithm } from "@postern/crypto";
import { createEd25519 } from "@postern/crypto";

/** `ssh-ed25519` in pure JavaScript. Without `zip215: false` noble would accept what RFC 8032 refuses. */
export const sshEd25519: PublicKeyAlgorithm = /* @__PURE__ */ createEd25519((publicKey, data, signature) =>
  ed25519.verify(signature, data, publicKey, { zip215: false }),
);
