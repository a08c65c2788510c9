/** Long lists for logins: public keys of others, and known_hosts lines. @module */
import { createHmac, randomBytes } from "node:crypto";

/** Returns lines of valid form, whose private keys do not exist. */
export function randomPublicKeys(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `ssh-ed25519 ${ed25519Blob(randomBytes(32))} other-${i}`);
}

/** Returns known_hosts lines of other hosts, with the given one at the end. */
export function knownHostsLines(count: number, isHashed: boolean, host: string, publicLine: string): string {
  const lines = randomPublicKeys(count - 1).map((key, i) => `${nameOf(`host-${i}.example`, isHashed)} ${key}`);
  return [...lines, `${nameOf(host, isHashed)} ${publicLine}`, ""].join("\n");
}

/** The hashed form is that of `ssh-keygen -H`: HMAC-SHA1 of the name, with a salt as key. */
function nameOf(host: string, isHashed: boolean): string {
  if (!isHashed) return host;
  const salt = randomBytes(20);
  return `|1|${salt.toString("base64")}|${createHmac("sha1", salt).update(host).digest("base64")}`;
}

function ed25519Blob(key: Uint8Array): string {
  const type = Buffer.from("ssh-ed25519");
  return Buffer.concat([length(type), type, length(key), key]).toString("base64");
}

function length(bytes: Uint8Array): Buffer {
  const field = Buffer.alloc(4);
  field.writeUInt32BE(bytes.length);
  return field;
}
