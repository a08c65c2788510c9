/** The key files of the test vectors. @module */
import { parsePublicKey } from "@postern/keys";
import { loadKeyVectors } from "@postern/testkit/vectors";

/** For `it.each`: a title, and the vector with its public key. */
export const keyVectors = loadKeyVectors().map(([type, vector]) => {
  const { blob } = parsePublicKey(vector.publicLine);
  return [`${type} ${vector.comment}`, { ...vector, publicKey: blob }] as const;
});
