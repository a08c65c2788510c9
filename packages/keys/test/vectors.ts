/** Loads test-vectors/keys. */
import { type KeyFileVector, type KeyVector, loadKeyVectors, loadTests } from "@postern/testkit/vectors";

export const keyVectors = loadKeyVectors();

/** One text of each other format, and an encrypted file of the OpenSSH format. */
export const fileVectors: readonly { readonly comment: string; readonly text: string }[] = [
  "file-openssh",
  "file-pkcs8",
  "file-pkcs8-encrypted",
  "file-pem",
  "file-ppk",
  "file-jwk",
].map((name) => {
  const { comment, text = "" } = loadTests<KeyFileVector>("keys", name)[0] as KeyFileVector;
  return { comment, text };
});

/** Returns the first vector of a key type. */
export function vectorOf(type: string): KeyVector {
  const found = keyVectors.find(([name]) => name === type);
  if (!found) throw new Error(`no vector of ${type}`);
  return found[1];
}
