/** Private keys, their halves compared in pure JavaScript. @module */
import { decoderWith, type PrivateKey } from "../private-key.ts";
import { noblePublicHalf } from "./public-half.ts";

/**
 * Reads the text of a private key file: Ed25519, ECDSA on the three NIST curves, RSA from 2048 to 16384 bits.
 * The public half is checked against the private one. Any white space between the lines is allowed.
 *
 * @throws SshError `key` when it is malformed, protected by a passphrase, of another format (with the command that converts it)
 *   or of another type; no part of the text is in the message
 */
export const decodePrivateKey: (text: string) => PrivateKey = /* @__PURE__ */ decoderWith(noblePublicHalf);
