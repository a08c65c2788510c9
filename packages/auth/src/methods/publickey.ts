/** The method `publickey`, RFC 4252 section 7, with the signature algorithms of RFC 8332. @module */
import type { Signer } from "@postern/crypto";
import { type Bytes, expectType, PublickeyQuery, SshError, UserauthRequest, Writer } from "@postern/wire";
import { type AuthMethod, CONNECTION_SERVICE } from "../dialog.ts";

/** What is signed (RFC 4252 section 7): the session identifier and the request up to the public key. */
export function signedData(sessionId: Bytes, request: Bytes): Bytes {
  return new Writer(4 + sessionId.length + request.length).string(sessionId).raw(request).finish();
}

/** Logs in with a key. It is offered with its signature at once: the identity is known, a question would cost a round trip. */
export function publickey(signer: Signer): AuthMethod {
  expectType("a signer", signer, "object");
  expectType("the public key of a signer", signer.publicKey, "Uint8Array");
  const [best] = Array.isArray(signer.algorithms) ? signer.algorithms : [];
  if (best === undefined || typeof signer.sign !== "function") {
    throw new SshError("misuse", "expected a signer with a list of algorithms and a function to sign with, got none");
  }
  return {
    name: "publickey",
    // With one algorithm there is nothing to choose, so nothing to wait for.
    needsServerAlgorithms: signer.algorithms.length > 1,
    oneRequest: true,
    begin({ user, sessionId, serverAlgorithms }) {
      // A list without any of ours is no reason to give up: OpenSSH 7.4 leaves rsa-sha2-* out although it takes them.
      const algorithm = signer.algorithms.find((name) => serverAlgorithms?.includes(name)) ?? best;
      const { publicKey } = signer;
      const specificData = PublickeyQuery.encode({ hasSignature: true, algorithm, publicKey });
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
