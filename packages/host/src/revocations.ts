/** Keys and users that were revoked while the host runs. @module */
import type { Hash } from "@postern/crypto";
import { describePublicKey, isCertificate, parseCertificate, parseFingerprint, parsePublicKey } from "@postern/keys";
import { checkOptions } from "@postern/ssh";
import { type Bytes, expectType, SshError, toHex } from "@postern/wire";
import type { ProvedKey } from "./login-identity.ts";

/** The key or user to revoke: exactly one of them. */
export interface Revocation {
  /** A public key: a line as in authorized_keys, or its blob. Of a certificate, the certified key is revoked. */
  readonly key?: string | Bytes;
  /** A fingerprint as `ssh-keygen -l` prints it: `SHA256:…`. */
  readonly fingerprint?: string;
  /** The exact name of a user. */
  readonly user?: string;
}

/** The revocations of a host. A revoked key also revokes certificates for it, and certificates that it signed. */
export class Revocations {
  readonly #sha256: Hash;
  readonly #digests = new Set<string>();
  readonly #users = new Set<string>();

  constructor(sha256: Hash) {
    this.#sha256 = sha256;
  }

  /** @throws SshError `misuse` unless exactly one of `key`, `fingerprint` and `user` is set; `key` if it is malformed */
  add(revocation: Revocation): void {
    this.#apply(revocation, (set, value) => set.add(value));
  }

  /** Removes a revocation. Throws as `add` does. */
  remove(revocation: Revocation): void {
    this.#apply(revocation, (set, value) => set.delete(value));
  }

  /** Returns why a user may not log in or stay, or `undefined`. */
  userReason(user: string): string | undefined {
    return this.#users.has(user) ? "the user is revoked" : undefined;
  }

  /** Returns why a key may not be used, or `undefined`. */
  keyReason({ publicKey, certificate }: ProvedKey): string | undefined {
    if (this.#digests.size === 0) return undefined;
    if (certificate === undefined) return this.#has(publicKey) ? "the key is revoked" : undefined;
    if (this.#has(certificate.publicKey)) return "the certified key is revoked";
    return this.#has(certificate.signatureKey) ? "the certificate's CA is revoked" : undefined;
  }

  #has(plain: Bytes): boolean {
    return this.#digests.has(toHex(this.#sha256.digest(plain)));
  }

  #apply(revocation: Revocation, change: (set: Set<string>, value: string) => void): void {
    checkOptions("a revocation", revocation, ["key", "fingerprint", "user"]);
    const { key, fingerprint, user } = revocation;
    const given = [key, fingerprint, user].filter((value) => value !== undefined).length;
    if (given !== 1) throw new SshError("misuse", `expected a key, a fingerprint or a user to revoke, got ${given}`);
    if (key !== undefined) change(this.#digests, toHex(this.#sha256.digest(plainBlob(key))));
    if (fingerprint !== undefined) change(this.#digests, toHex(parseFingerprint(fingerprint)));
    if (user === undefined) return;
    expectType("user", user, "string");
    change(this.#users, user);
  }
}

function plainBlob(key: string | Bytes): Bytes {
  const blob = typeof key === "string" ? parsePublicKey(key).blob : key;
  describePublicKey(blob);
  return isCertificate(blob) ? parseCertificate(blob).publicKey : blob;
}
