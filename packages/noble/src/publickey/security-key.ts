/** Signatures of security keys in pure JavaScript. @module */
import { createSecurityKey, type PublicKeyAlgorithm } from "@postern/crypto";
import { sha256 } from "../hash.ts";
import { ecdsaNistp256 } from "./ecdsa.ts";
import { sshEd25519 } from "./ed25519.ts";

/** `sk-ssh-ed25519@openssh.com` in pure JavaScript. */
export const skSshEd25519: PublicKeyAlgorithm = /* @__PURE__ */ createSecurityKey(sshEd25519, sha256);

/** `sk-ecdsa-sha2-nistp256@openssh.com` in pure JavaScript. */
export const skEcdsaNistp256: PublicKeyAlgorithm = /* @__PURE__ */ createSecurityKey(ecdsaNistp256, sha256);
