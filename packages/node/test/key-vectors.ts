/** The key files of the test vectors. @module */
import { parsePublicKey } from "@postern/keys";
import { type KeyVector, loadVectors } from "@postern/testkit/vectors";
import type { Bytes } from "@postern/wire";

const types = ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"];

/** For `it.each`: a title, and the vector with its public key. */
export const keyVectors: readonly (readonly [string, KeyVector & { readonly publicKey: Bytes }])[] = types.flatMap(
  (type) =>
    (loadVectors("keys", type).vectors as KeyVector[]).map((vector) => {
      const { blob } = parsePublicKey(vector.publicLine);
      return [`${type} ${vector.comment}`, { ...vector, publicKey: blob }] as const;
    }),
);
