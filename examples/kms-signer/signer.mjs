/** A signer whose key stays in Google Cloud KMS (EC_SIGN_P256_SHA256). @module */
import { createHash, createPublicKey, verify } from "node:crypto";
import { encodeEcdsaPair, encodePublicKey, encodeSignature } from "@postern/node";

const algorithm = "ecdsa-sha2-nistp256";

/**
 * Gets the public key, and creates a signer.
 * @param {object} options
 * @param {string} options.key the name of a key version: `projects/…/cryptoKeyVersions/1`
 * @param {() => Promise<string>} options.token returns an access token; called for each request, because tokens expire
 * @param {string} [options.endpoint]
 * @param {number} [options.timeoutMs] for each request
 * @returns {Promise<import("@postern/node").Signer>}
 */
export async function createKmsSigner({
  key,
  token,
  endpoint = "https://cloudkms.googleapis.com",
  timeoutMs = 10_000,
}) {
  const { pem, algorithm: keyAlgorithm } = await ask(`${key}/publicKey`);
  if (keyAlgorithm !== "EC_SIGN_P256_SHA256") {
    throw new Error(`expected a key for EC_SIGN_P256_SHA256, got ${keyAlgorithm}`);
  }
  const publicKey = createPublicKey(pem);
  const { x, y } = publicKey.export({ format: "jwk" });
  const point = Buffer.concat([Buffer.of(4), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]);
  return {
    publicKey: encodePublicKey(algorithm, point),
    algorithms: [algorithm],
    async sign(data) {
      const sha256 = createHash("sha256").update(data).digest("base64");
      const { signature } = await ask(`${key}:asymmetricSign`, { digest: { sha256 } });
      const pair = pairFromDer(Buffer.from(signature, "base64"));
      if (!verify("sha256", data, { key: publicKey, dsaEncoding: "ieee-p1363" }, pair)) {
        throw new Error("expected a valid signature from the key service, got another one");
      }
      return encodeSignature(algorithm, encodeEcdsaPair(pair));
    },
  };

  /** Sends a request: GET, or POST if there is a body. */
  async function ask(path, body) {
    const response = await fetch(`${endpoint}/v1/${path}`, {
      method: body ? "POST" : "GET",
      headers: { authorization: `Bearer ${await token()}`, "content-type": "application/json" },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (!response.ok) {
      const { error } = await response.json().catch(() => ({}));
      throw new Error(`the key service answered ${response.status}: ${error?.message ?? response.statusText}`);
    }
    return response.json();
  }
}

/** Converts `SEQUENCE { INTEGER r, INTEGER s }` (RFC 3279 section 2.2.3) to r || s, each of 32 bytes. */
export function pairFromDer(der) {
  const pair = Buffer.alloc(64);
  // The lengths of P-256 have one byte: a sequence has at most 70 bytes.
  if (der[0] !== 0x30 || der[1] !== der.length - 2) throw malformed();
  let at = 2;
  for (const half of [pair.subarray(0, 32), pair.subarray(32)]) {
    const start = at + 2;
    const end = start + der[at + 1];
    if (der[at] !== 0x02 || !(end <= der.length)) throw malformed();
    // A leading zero makes the number positive. Short numbers are padded.
    const digits = der.subarray(start + (der[start] === 0 ? 1 : 0), end);
    if (digits.length > 32) throw malformed();
    half.set(digits, 32 - digits.length);
    at = end;
  }
  if (at !== der.length) throw malformed();
  return pair;
}

function malformed() {
  return new Error("expected a DER signature of P-256 from the key service, got other bytes");
}
