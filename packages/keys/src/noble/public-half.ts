/** The public half of a private key in pure JavaScript. @module */
import { ed25519 } from "@noble/curves/ed25519.js";
import type { PublicHalf } from "../public-half.ts";
import { ecdsaOf } from "./ecdsa.ts";

export const noblePublicHalf: PublicHalf = {
  ed25519: (seed) => ed25519.getPublicKey(seed),
  ecdsa: (curve, scalar) => ecdsaOf(curve).getPublicKey(scalar, false),
};
