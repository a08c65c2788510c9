/** Loads test-vectors/keys. */
import { readFileSync } from "node:fs";

export interface KeyVector {
  readonly id: number;
  /** the command that created the key */
  readonly comment: string;
  readonly privateKey: string;
  readonly publicLine: string;
  readonly fingerprint: string;
  readonly bits: number;
  readonly data: string;
  /** a signature of `data` by OpenSSH */
  readonly signature: string;
}

function load<V>(algorithm: string): readonly V[] {
  const url = new URL(`../../../test-vectors/keys/${algorithm}.json`, import.meta.url);
  return (JSON.parse(readFileSync(url, "utf8")) as { vectors: V[] }).vectors;
}

export const keyVectors: readonly (readonly [string, KeyVector])[] = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "ssh-rsa",
].flatMap((type) => load<KeyVector>(type).map((vector) => [type, vector] as const));

/** One text of each other format, and encrypted files of the OpenSSH format. */
export const fileVectors: readonly { readonly comment: string; readonly text: string }[] = [
  "file-openssh",
  "file-pkcs8",
  "file-pkcs8-encrypted",
  "file-pem",
  "file-ppk",
  "file-jwk",
].map((name) => load<{ comment: string; text: string }>(name)[0] ?? { comment: name, text: "" });

/** Returns the first vector of a key type. */
export function vectorOf(type: string): KeyVector {
  const found = keyVectors.find(([name]) => name === type);
  if (!found) throw new Error(`no vector of ${type}`);
  return found[1];
}
