/** The keys of the traces: fixed seeds, so that every implementation can be configured once. They open nothing. @module */
import { createHash, createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import { string, uint32 } from "./bytes.mjs";

const pkcs8Prefix = Buffer.from("302e020100300506032b657004220420", "hex");
const spkiPrefix = Buffer.from("302a300506032b6570032100", "hex");

/** An Ed25519 key pair with its SSH forms. */
export class KeyPair {
  #private;
  #seed;
  #name;

  constructor(name) {
    this.#name = name;
    this.#seed = createHash("sha256").update(name).digest();
    const der = Buffer.concat([pkcs8Prefix, this.#seed]);
    this.#private = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
    const spki = createPublicKey(this.#private).export({ format: "der", type: "spki" });
    this.point = spki.subarray(spkiPrefix.length);
    this.blob = Buffer.concat([string("ssh-ed25519"), string(this.point)]);
  }

  /** Returns a signature blob (RFC 8709 section 6). */
  sign(data) {
    return Buffer.concat([string("ssh-ed25519"), string(sign(null, data, this.#private))]);
  }

  /** The line of an authorized_keys file. */
  get line() {
    return `ssh-ed25519 ${this.blob.toString("base64")} ${this.#name}`;
  }

  /** The private key file (OpenSSH PROTOCOL.key), without a passphrase. */
  get file() {
    const check = uint32(0x706f7374);
    const secret = Buffer.concat([this.#seed, this.point]);
    let inner = Buffer.concat([check, check, this.blob, string(secret), string(this.#name)]);
    for (let pad = 1; inner.length % 8 !== 0; pad++) inner = Buffer.concat([inner, Buffer.of(pad)]);
    const body = Buffer.concat([
      Buffer.from("openssh-key-v1\0"),
      string("none"),
      string("none"),
      string(""),
      uint32(1),
      string(this.blob),
      string(inner),
    ]);
    const lines = body
      .toString("base64")
      .match(/.{1,70}/g)
      ?.join("\n");
    return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines}\n-----END OPENSSH PRIVATE KEY-----\n`;
  }
}

export function verifyEd25519(blob, data, signature) {
  const key = createPublicKey({ key: Buffer.concat([spkiPrefix, blob.subarray(-32)]), format: "der", type: "spki" });
  return verify(null, data, key, signature);
}

export const hostKey = new KeyPair("host key of the state traces");
export const otherHostKey = new KeyPair("another host key of the state traces");
export const userKey = new KeyPair("user key of the state traces");
export const otherUserKey = new KeyPair("user key of the state traces that no server accepts");
export const user = "root";
