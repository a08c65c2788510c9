/** The decision whether to trust a host key. @module */
import type { MaybePromise } from "@postern/auth";
import type { Hash } from "@postern/crypto";
import { createFingerprint, keyType, parseFingerprint } from "@postern/keys";
import type { Address, ClientOptions } from "@postern/ssh";
import { type Bytes, equal, expectList, SshError } from "@postern/wire";

/** A host key. The server has proved possession of it. The check decides whether it is the right server. */
export interface HostKeyOffer {
  readonly host: string;
  readonly port: number;
  /** the public key blob, RFC 4253 section 6.6 */
  readonly key: Bytes;
  /** the type inside the blob, such as `ssh-rsa` */
  readonly keyType: string;
  /** the signature algorithm that was negotiated, such as `rsa-sha2-512` */
  readonly algorithm: string;
  /** `SHA256:…` as `ssh-keygen -l` prints it */
  readonly fingerprint: string;
}

/** Decides whether to trust a host key. Anything but `true`, and any error, refuses it. */
export type HostKeyCheck = (offer: HostKeyOffer) => MaybePromise<boolean>;

/**
 * Trusts a server by the SHA256 fingerprint of its host key, or by several if it has several keys. Print one on the
 * server with `ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub`.
 *
 * @throws SshError `key` if a text is not a SHA256 fingerprint, `misuse` for other values or none
 * @example
 * const hostKey = fingerprint("SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDYzMtFDqMRQH+xi8E");
 */
export function fingerprint(...trusted: readonly [string, ...string[]]): HostKeyCheck {
  expectList("fingerprint() to get texts such as SHA256:…", trusted, (text) => typeof text === "string");
  if ((trusted as readonly string[]).length === 0) {
    throw new SshError("misuse", "expected fingerprint() to get a text such as SHA256:…, got none");
  }
  const digests = trusted.map((text) => parseFingerprint(text));
  return (offer) => {
    const { fingerprint: got } = offer;
    if (digests.some((digest) => equal(digest, parseFingerprint(got)))) return true;
    throw new SshError(
      "hostkey",
      `expected ${offer.host} to have the host key ${trusted.join(" or ")}, got ${got} (${offer.keyType})`,
    );
  };
}

/** Returns the option `hostKey` of `connect`: it asks the check about the key of an endpoint. */
export function hostKeyOption(check: HostKeyCheck, { host, port }: Address, sha256: Hash): ClientOptions["hostKey"] {
  return async ({ hostKey: key, algorithm }) => {
    const text = createFingerprint(sha256)(key);
    const offer = { host, port, key, algorithm, keyType: keyType(key), fingerprint: text };
    if ((await check(offer)) === true) return true;
    const got = `${text} (${offer.keyType}): return true to trust it`;
    throw new SshError("hostkey", `expected a trusted host key, got ${got}`);
  };
}
