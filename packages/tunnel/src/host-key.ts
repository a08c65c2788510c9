/** The decision whether to trust a host key. @module */
import type { MaybePromise } from "@postern/auth";
import type { Certificate, Hash, PublicKeyAlgorithm } from "@postern/crypto";
import { createFingerprint, keyType, parseFingerprint } from "@postern/keys";
import type { HostKeyOption } from "@postern/ssh";
import { type Bytes, equal, expectList, SshError } from "@postern/wire";

/** The server whose host key is checked. */
export interface HostKeyEndpoint {
  readonly host: string;
  readonly port: number;
  /** the name under which its keys are known instead of host and port, see HostKeyAlias in ssh_config(5) */
  readonly hostKeyAlias?: string | undefined;
}

/** A host key. The server has proved possession of it. The check decides whether it is the right server. */
export interface HostKeyOffer extends HostKeyEndpoint {
  /** the public key blob, RFC 4253 section 6.6; a certificate if one was negotiated */
  readonly key: Bytes;
  /** the type inside the blob, such as `ssh-rsa` */
  readonly keyType: string;
  /** the signature algorithm that was negotiated, such as `rsa-sha2-512` */
  readonly algorithm: string;
  /** `SHA256:…` as `ssh-keygen -l` prints it; that of the certified key if the key is a certificate */
  readonly fingerprint: string;
  /**
   * The certificate in `key`. It is not checked yet: see `checkCertificate`. `undefined` unless `algorithms.hostKeys`
   * has algorithms of certificates, or `knownHosts` knows a CA for the host.
   */
  readonly certificate?: Certificate | undefined;
  /** the host key algorithms of this connection, to verify the signature of a CA */
  readonly hostKeyAlgorithms?: readonly PublicKeyAlgorithm[];
}

/** The host keys that a server announced after login (`hostkeys-00@openssh.com`, OpenSSH PROTOCOL section 2.5). */
export interface HostKeyAnnouncement {
  /** the data of the request: each public key blob as a string; nothing of it is verified */
  readonly data: Bytes;
  /** the session identifier (RFC 4253 section 7.2), which the server signs to prove that it has them */
  readonly sessionId: Bytes;
  /** Sends a global request. Resolves with the data of the reply, or `undefined` if the server refuses. */
  readonly request: (name: string, data: Bytes) => Promise<Bytes | undefined>;
}

/** Decides whether to trust a host key, by what it knows of the server. */
export interface HostKeyVerifier {
  /** Decides whether to trust a host key. Anything but `true`, and any error, refuses it. */
  check(offer: HostKeyOffer): MaybePromise<boolean>;
  /**
   * Returns the host key algorithms to offer to the server, best first, so that it presents a key that is known. Called
   * before each connection with those of the option `algorithms`. `isDefault`: the program did not choose them, so that
   * others may be added.
   */
  algorithms?(
    endpoint: HostKeyEndpoint,
    offered: readonly PublicKeyAlgorithm[],
    isDefault?: boolean,
  ): MaybePromise<readonly PublicKeyAlgorithm[]>;
  /**
   * Called with the first announcement of each connection, after login. `offer` is the one that `check` accepted. The
   * connection does not depend on the result, and errors are ignored.
   */
  updateHostKeys?(offer: HostKeyOffer, announcement: HostKeyAnnouncement): MaybePromise<void>;
}

/** A function that decides whether to trust a host key, or an object such as `knownHosts()`. */
export type HostKeyCheck = HostKeyVerifier["check"] | HostKeyVerifier;

/** Returns whether a value can be a {@link HostKeyCheck}. */
export function isHostKeyCheck(value: unknown): value is HostKeyCheck {
  return typeof value === "function" || typeof (value as Partial<HostKeyVerifier> | undefined)?.check === "function";
}

/**
 * Returns the option `hostKey` of `connect` for one connection to a server. `isDefault`: the program did not choose the
 * host key algorithms.
 *
 * @throws SshError `hostkey`, from its `check`, if the key is refused
 */
export function hostKeyOption(
  check: HostKeyCheck,
  endpoint: HostKeyEndpoint,
  sha256: Hash,
  isDefault?: boolean,
): HostKeyOption {
  const verifier: HostKeyVerifier = typeof check === "function" ? { check } : check;
  const fingerprintOf = createFingerprint(sha256);
  let accepted: HostKeyOffer | undefined;
  return {
    async check({ hostKey, algorithm, certificate, algorithms: hostKeyAlgorithms }) {
      const fingerprintText = fingerprintOf(certificate?.publicKey ?? hostKey);
      const described = { key: hostKey, keyType: keyType(hostKey), fingerprint: fingerprintText };
      const offer = { ...endpoint, ...described, algorithm, certificate, hostKeyAlgorithms };
      if ((await verifier.check(offer)) !== true) {
        const got = `${offer.fingerprint} (${offer.keyType}): return true to trust it`;
        throw new SshError("hostkey", `expected a trusted host key, got ${got}`);
      }
      accepted = offer;
      return true;
    },
    ...(verifier.algorithms && {
      algorithms: (offered) => verifier.algorithms?.(endpoint, offered, isDefault) ?? offered,
    }),
    ...(verifier.updateHostKeys && {
      announced(data, connection) {
        const offer = accepted;
        accepted = undefined;
        if (offer === undefined) return;
        const request: HostKeyAnnouncement["request"] = async (name, specificData) => {
          let copy: Bytes | undefined;
          // The memory of a reply may be reused after the call.
          await connection.request(name, specificData, {
            onReply(reply) {
              if (reply.ok) copy = reply.specificData.slice();
            },
          });
          return copy;
        };
        const { sessionId } = connection.peer;
        const update = async () => verifier.updateHostKeys?.(offer, { data: data.slice(), sessionId, request });
        update().catch(() => {});
      },
    }),
  };
}

/**
 * Trusts a server by the SHA256 fingerprint of its host key, or by several if it has several keys. Print one on the
 * server with `ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub`.
 *
 * @throws SshError `key` if a text is not a SHA256 fingerprint, `misuse` for other values or none
 * @example
 * const hostKey = fingerprint("SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDYzMtFDqMRQH+xi8E");
 */
export function fingerprint(...trusted: readonly [string, ...string[]]): HostKeyVerifier["check"] {
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
