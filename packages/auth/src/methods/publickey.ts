/** The login method `publickey`, RFC 4252 section 7, with the signature algorithms of RFC 8332. @module */
import type { Signer } from "@postern/crypto";
import { type Bytes, expectType, PublickeyQuery, SshError, UserauthRequest, Writer } from "@postern/wire";
import { type AuthMethod, CONNECTION_SERVICE } from "../dialog.ts";

/** Returns the data to sign (RFC 4252 section 7): the session identifier and the request up to the public key. */
export function signedData(sessionId: Bytes, request: Bytes): Bytes {
  return new Writer(4 + sessionId.length + request.length).string(sessionId).raw(request).finish();
}

/** Logs in with a key. The first request contains the signature, because to query the key first costs a round trip. */
export function publickey(signer: Signer): AuthMethod {
  expectType("a signer", signer, "object");
  expectType("the public key of a signer", signer.publicKey, "Uint8Array");
  const [best] = Array.isArray(signer.algorithms) ? signer.algorithms : [];
  if (best === undefined || typeof signer.sign !== "function") {
    throw new SshError("misuse", "expected a signer with a list of algorithms and a function `sign`");
  }
  return {
    name: "publickey",
    // With one algorithm there is no choice to wait for.
    needsServerAlgorithms: signer.algorithms.length > 1,
    oneRequest: true,
    begin({ user, sessionId, serverAlgorithms, oldCertificateNames }) {
      // Tries even if the list has no algorithm of ours: OpenSSH 7.4 accepts rsa-sha2-* but does not list them.
      // The list has plain names, as in OpenSSH, which stand for certificates of such keys, too.
      const listed = (name: string) => serverAlgorithms?.includes(name.replace(/-cert-v01@openssh\.com$/, ""));
      const algorithm = signer.algorithms.find(listed) ?? best;
      const { publicKey } = signer;
      const name = oldCertificateNames ? algorithm.replace(/^rsa-sha2-\d+-cert/, "ssh-rsa-cert") : algorithm;
      const specificData = PublickeyQuery.encode({ hasSignature: true, algorithm: name, publicKey });
      const request = UserauthRequest.encode({ user, service: CONNECTION_SERVICE, method: "publickey", specificData });
      const withSignature = (signature: Bytes): Bytes => {
        expectType("a signature", signature, "Uint8Array");
        return new Writer(1024).raw(request).string(signature).finish();
      };
      return {
        next(answer) {
          if (answer !== undefined) {
            throw new SshError("protocol", `expected an answer to a signed request, got message ${answer[0]}`);
          }
          const signature = signer.sign(signedData(sessionId, request), algorithm);
          return signature instanceof Uint8Array
            ? withSignature(signature)
            : Promise.resolve(signature).then(withSignature);
        },
      };
    },
  };
}
