/** Key pairs made by `ssh-keygen`. @module */
import { readFileSync } from "node:fs";
import { run } from "./process.ts";

export type KeyType = "ed25519" | "ecdsa256" | "ecdsa384" | "ecdsa521" | "rsa2048" | "rsa3072" | "rsa4096";

export interface PublicKeyInfo {
  /** `type base64`, as in authorized_keys and, after a host name, in known_hosts. */
  readonly publicLine: string;
  /** `SHA256:…` as `ssh-keygen -l` prints it. */
  readonly fingerprint: string;
}

export interface KeyPair extends PublicKeyInfo {
  readonly type: KeyType;
  /** The file with the private key; the public key is beside it, in `.pub`. */
  readonly file: string;
  /** The text of the private key file. */
  readonly privateText: string;
}

export interface MakeKeyOptions {
  readonly passphrase?: string;
  readonly comment?: string;
  /** Default: `OpenSSH`. */
  readonly format?: "OpenSSH" | "PEM" | "PKCS8" | undefined;
}

/** Makes a key pair in `file`. */
export async function makeKey(type: KeyType, file: string, options: MakeKeyOptions = {}): Promise<KeyPair> {
  const [, algorithm = type, bits] = /^(ecdsa|rsa)(\d+)$/.exec(type) ?? [];
  const { passphrase = "", comment = `${type} of a test`, format } = options;
  await run("ssh-keygen", [
    "-q",
    "-t",
    algorithm,
    "-f",
    file,
    "-N",
    passphrase,
    "-C",
    comment,
    ...(bits === undefined ? [] : ["-b", bits]),
    ...(format === undefined || format === "OpenSSH" ? [] : ["-m", format]),
  ]);
  return { type, file, privateText: readFileSync(file, "utf8"), ...(await publicKeyInfo(`${file}.pub`)) };
}

/** Reads a public key file. */
export async function publicKeyInfo(file: string): Promise<PublicKeyInfo> {
  const [type, base64] = readFileSync(file, "utf8").trim().split(" ");
  const fingerprint = (await run("ssh-keygen", ["-l", "-E", "sha256", "-f", file])).split(" ")[1];
  if (fingerprint === undefined) throw new Error(`expected a fingerprint of ${file} from ssh-keygen, got none`);
  return { publicLine: `${type} ${base64}`, fingerprint };
}
