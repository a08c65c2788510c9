/** The hybrid of ML-KEM-768 and X25519 in pure JavaScript. @module */
import { createMlkem768X25519, type KexMethod } from "@postern/crypto";
import { sha256 } from "../hash.ts";
import { mlkem768 } from "../mlkem768.ts";
import { nobleX25519 } from "./curve25519.ts";

/** `mlkem768x25519-sha256` (draft-ietf-sshm-mlkem-hybrid-kex) in pure JavaScript. */
export const mlkem768X25519Sha256: KexMethod = /* @__PURE__ */ createMlkem768X25519(sha256, mlkem768, nobleX25519);
