/** The decision whether to trust a host key. @module */
import type { MaybePromise } from "@postern/auth";
import type { Certificate } from "@postern/crypto";
import { parseFingerprint } from "@postern/keys";
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
  /** `SHA256:…` as `ssh-keygen -l` prints it; that of the certified key if the key is a certificate */
  readonly fingerprint: string;
  /**
   * The certificate in `key`. It is not checked yet: see `checkCertificate`. `undefined` unless `algorithms.hostKeys`
   * has algorithms of certificates.
   */
  readonly certificate: Certificate | undefined;
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
    if (offer.certificate !== undefined) {
      const what = `a certificate (${offer.keyType}), which fingerprint() does not check`;
      throw new SshError("hostkey", `expected ${offer.host} to have a plain host key, got ${what}`);
    }
    if (digests.some((digest) => equal(digest, parseFingerprint(got)))) return true;
    throw new SshError(
      "hostkey",
      `expected ${offer.host} to have the host key ${trusted.join(" or ")}, got ${got} (${offer.keyType})`,
    );
  };
}
