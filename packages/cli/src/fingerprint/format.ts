/** Fingerprints and pictures of public keys, as ssh-keygen prints them. @module */
import { createHash } from "node:crypto";
import { describePublicKey, isCertificate, keyType, parseCertificate } from "@postern/keys";
import { type Bytes, SshError, sanitizeText } from "@postern/wire";
import type { FingerprintHash } from "./hashes.ts";

/** Returns `SHA256:` and base64 without padding, or `MD5:` and pairs of hexadecimal digits. */
export function formatFingerprint(blob: Bytes, hash: FingerprintHash = "sha256"): string {
  const digest = createHash(hash).update(blob).digest();
  if (hash === "md5") return `MD5:${digest.toString("hex").replaceAll(/(..)(?=.)/g, "$1:")}`;
  return `SHA256:${digest.toString("base64").replace(/=+$/, "")}`;
}

/** Returns a line of `ssh-keygen -l`: bits, fingerprint, comment, type. That of a certificate is its key's. */
export function fingerprintLine(blob: Bytes, comment: string, hash: FingerprintHash = "sha256"): string {
  const { key, name, bits } = describe(blob);
  return `${bits} ${formatFingerprint(key, hash)} ${sanitizeText(comment) || "no comment"} (${name})`;
}

/** Returns the picture of `ssh-keygen -lv`, lines without a line feed at the end. */
export function keyPicture(blob: Bytes, hash: FingerprintHash = "sha256"): string {
  const { key, name, bits } = describe(blob);
  const digest = createHash(hash).update(key).digest();
  const title = `${name} ${bits}`.length + 2 <= width ? `[${name} ${bits}]` : `[${name}]`;
  return [border(title), ...walk(digest).map((row) => `|${row}|`), border(`[${hash.toUpperCase()}]`)].join("\n");
}

const width = 17;
const height = 9;
const symbols = " .o+=*BOX@%&#/^";

/** A walk over a board by pairs of bits, from its middle: fingerprint_randomart of OpenSSH (sshkey.c). */
function walk(digest: Bytes): string[] {
  const visits = Array.from({ length: height }, () => new Uint8Array(width));
  let [x, y] = [(width - 1) / 2, (height - 1) / 2];
  for (const byte of digest) {
    for (let shift = 0; shift < 8; shift += 2) {
      const step = byte >> shift;
      x = clamp(x + (step & 1 ? 1 : -1), width - 1);
      y = clamp(y + (step & 2 ? 1 : -1), height - 1);
      const row = visits[y];
      if (row !== undefined) row[x] = Math.min((row[x] ?? 0) + 1, symbols.length - 1);
    }
  }
  const drawn = visits.map((row) => Array.from(row, (count) => symbols[count] ?? " "));
  set(drawn, (width - 1) / 2, (height - 1) / 2, "S");
  set(drawn, x, y, "E");
  return drawn.map((row) => row.join(""));
}

function set(rows: string[][], x: number, y: number, symbol: string): void {
  const row = rows[y];
  if (row !== undefined) row[x] = symbol;
}

function clamp(value: number, max: number): number {
  return Math.max(0, Math.min(value, max));
}

function border(title: string): string {
  const before = Math.floor((width - title.length) / 2);
  return `+${"-".repeat(before)}${title}${"-".repeat(width - before - title.length)}+`;
}

/** Returns the plain key, the name of its type as ssh-keygen prints it, and its size in bits. */
function describe(blob: Bytes): { readonly key: Bytes; readonly name: string; readonly bits: number } {
  const certified = isCertificate(blob);
  const key = certified ? parseCertificate(blob).publicKey : blob;
  const [, bits] = / of (\d+) bits$/.exec(describePublicKey(key)) ?? [];
  const plain = keyType(key);
  const family = families.find(({ pattern }) => pattern.test(plain));
  if (family === undefined) throw new SshError("unsupported", `expected a key of a known type, got ${plain}`);
  return { key, name: `${family.name}${certified ? "-CERT" : ""}`, bits: Number(bits ?? family.bits(plain)) };
}

/** The names of ssh-keygen, and sizes that follow from the type. */
const families = [
  { pattern: /^ssh-ed25519$/, name: "ED25519", bits: () => 256 },
  { pattern: /^ssh-rsa$/, name: "RSA", bits: () => 0 },
  { pattern: /^ecdsa-sha2-nistp\d+$/, name: "ECDSA", bits: (type: string) => Number(/\d+$/.exec(type)?.[0]) },
  { pattern: /^sk-ssh-ed25519@openssh\.com$/, name: "ED25519-SK", bits: () => 256 },
  { pattern: /^sk-ecdsa-sha2-nistp256@openssh\.com$/, name: "ECDSA-SK", bits: () => 256 },
];
