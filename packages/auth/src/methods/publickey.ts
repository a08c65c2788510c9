/** The login method `publickey`, RFC 4252 section 7, with the signature algorithms of RFC 8332. @module */
import { plainName, type Signer } from "@postern/crypto";
import {
  type Bytes,
  equal,
  expectType,
  HOSTBOUND_METHOD,
  HostboundQuery,
  PublickeyQuery,
  SshError,
  UserauthPkOk,
  UserauthRequest,
  Writer,
} from "@postern/wire";
import { type AuthMethod, CONNECTION_SERVICE } from "../dialog.ts";

/** Returns the data to sign (RFC 4252 section 7): the session identifier and the request up to the public key. */
export function signedData(sessionId: Bytes, request: Bytes): Bytes {
  return new Writer(4 + sessionId.length + request.length).string(sessionId).raw(request).finish();
}

/** Options of {@link publickey}. */
export interface PublickeyOptions {
  /** Whether to sign only once the server accepts the key, because signing is slow or asks a user. Default `false`. */
  readonly query?: boolean;
  /** Names the key in error messages. */
  readonly label?: string;
}

/**
 * Logs in with a key. The first request contains the signature, because to query the key first costs a round trip. If
 * the server has offered `publickey-hostbound-v00@openssh.com`, the signature covers its host key, too.
 */
export function publickey(signer: Signer, { query = false, label = "publickey" }: PublickeyOptions = {}): AuthMethod {
  expectType("a signer", signer, "object");
  expectType("the public key of a signer", signer.publicKey, "Uint8Array");
  const [best] = Array.isArray(signer.algorithms) ? signer.algorithms : [];
  if (best === undefined || typeof signer.sign !== "function") {
    throw new SshError("misuse", "expected a signer with a list of algorithms and a function `sign`");
  }
  return {
    name: "publickey",
    label,
    // With one algorithm there is no choice to wait for.
    needsServerAlgorithms: signer.algorithms.length > 1,
    oneRequest: !query,
    begin({ user, sessionId, serverAlgorithms, oldCertificateNames, hostbound, hostKey }) {
      // Tries even if the list has no algorithm of ours: OpenSSH 7.4 accepts rsa-sha2-* but does not list them.
      const algorithm = signer.algorithms.find((name) => lists(serverAlgorithms, name)) ?? best;
      const name = oldCertificateNames ? algorithm.replace(/^rsa-sha2-\d+-cert/, "ssh-rsa-cert") : algorithm;
      const { publicKey } = signer;
      const request = (hasSignature: boolean): Bytes => {
        const fields = { hasSignature, algorithm: name, publicKey, hostKey };
        const specificData = (hostbound ? HostboundQuery : PublickeyQuery).encode(fields);
        const method = hostbound ? HOSTBOUND_METHOD : "publickey";
        return UserauthRequest.encode({ user, service: CONNECTION_SERVICE, method, specificData });
      };
      const withSignature = (signature: Bytes): Bytes => {
        expectType("a signature", signature, "Uint8Array");
        return new Writer(1024).raw(request(true)).string(signature).finish();
      };
      let queried = false;
      return {
        next(answer) {
          if (query && answer === undefined) return request(false);
          if (answer !== undefined) {
            // Servers differ in the algorithm that they name here (RFC 4252 section 7), so only the key counts.
            if (!query || queried || !equal(UserauthPkOk.decode(answer).publicKey, publicKey)) {
              throw new SshError(
                "protocol",
                `expected an answer to the request with this key, got message ${answer[0]}`,
              );
            }
            queried = true;
          }
          const signature = signer.sign(signedData(sessionId, request(true)), algorithm);
          return signature instanceof Uint8Array
            ? withSignature(signature)
            : Promise.resolve(signature).then(withSignature);
        },
      };
    },
  };
}

/** Whether server-sig-algs has an algorithm. It lists certificates by the algorithm of their key (they sign alike). */
function lists(serverAlgorithms: readonly string[] | undefined, algorithm: string): boolean {
  return [algorithm, plainName(algorithm)].some((name) => name !== undefined && serverAlgorithms?.includes(name));
}
