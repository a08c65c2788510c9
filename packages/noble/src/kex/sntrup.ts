/** The hybrids of Streamlined NTRU Prime and X25519 in pure JavaScript. @module */
import { createSntrup761X25519, type KexMethod } from "@postern/crypto";
import { sha512 } from "../hash.ts";
import { nobleX25519 } from "./curve25519.ts";

/** `sntrup761x25519-sha512` (RFC 9941) in pure JavaScript. */
export const sntrup761X25519Sha512: KexMethod = /* @__PURE__ */ createSntrup761X25519(
  "sntrup761x25519-sha512",
  sha512,
  nobleX25519,
);

/** `sntrup761x25519-sha512` under its name before RFC 9941. */
export const sntrup761X25519Sha512OpenSsh: KexMethod = /* @__PURE__ */ createSntrup761X25519(
  "sntrup761x25519-sha512@openssh.com",
  sha512,
  nobleX25519,
);
