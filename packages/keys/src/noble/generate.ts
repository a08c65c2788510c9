/** Making a private key in pure JavaScript. @module */
import { type GenerateOptions, generatorWith } from "../generate.ts";
import { noblePublicHalf } from "./public-half.ts";

/**
 * Makes an Ed25519 key, such as a host key. Keep the text where nobody else can read it; `readPrivateKey` and `ssh` read it.
 *
 * @example
 * await writeFile("host_key", generatePrivateKey(), { mode: 0o600 });
 */
export const generatePrivateKey: (options?: GenerateOptions) => string = /* @__PURE__ */ generatorWith(noblePublicHalf);
