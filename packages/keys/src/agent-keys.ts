/** The keys of an agent: their algorithms, and how they are named. @module */
import { certificateName, plainName } from "@postern/crypto";
import { type Bytes, equal, quote, Reader, SshError } from "@postern/wire";
import type { AgentIdentity } from "./agent-messages.ts";
import { certifiedKey, isKnownCertificate } from "./certificate.ts";
import { parseFingerprint } from "./fingerprint.ts";
import { keyType, parsePublicKey } from "./public-key.ts";

/**
 * Returns the signature algorithms of a key of an agent by the type in its blob, best first: none for DSA. A type that
 * we do not know may be known to the agent and the server, and signs under its own name.
 */
export function agentAlgorithms(type: string): readonly string[] {
  // The type names SHA-1 as an algorithm, which is never used.
  if (type === "ssh-rsa") return ["rsa-sha2-512", "rsa-sha2-256"];
  if (plainName(type) === "ssh-rsa") return agentAlgorithms("ssh-rsa").map(certificateName);
  return type.startsWith("ssh-dss") ? [] : [type];
}

/** Returns the flags of a request for a signature (section 3.6.1). Without one, agents sign with SHA-1 if it is RSA. */
export function agentSignFlags(algorithm: string): number {
  if (algorithm.startsWith("rsa-sha2-512")) return 4;
  return algorithm.startsWith("rsa-sha2-256") ? 2 : 0;
}

/**
 * Returns `signature`, a blob that an agent made. Agents that do not know the flags sign with SHA-1.
 * @throws SshError `key` if it has another algorithm than the one that was asked for
 */
export function checkAgentSignature(signature: Bytes, algorithm: string): Bytes {
  const got = new Reader(signature, "signature of the agent").text();
  const expected = plainName(algorithm) ?? algorithm;
  if (got === expected) return signature;
  throw new SshError("key", `expected the agent to sign with ${expected}, got ${quote(got, 64)}`);
}

/**
 * Creates a test for identities by a text of the program: a fingerprint `SHA256:…`, the line of a `.pub` file, or else
 * a comment. As in `ssh-add -l`, a certificate has the fingerprint of its key.
 *
 * @throws SshError `key` for a malformed fingerprint or line
 */
export function identityMatcher(text: string, sha256: (bytes: Bytes) => Bytes): (one: AgentIdentity) => boolean {
  if (text.startsWith("SHA256:")) {
    const digest = parseFingerprint(text);
    return ({ publicKey }) => equal(sha256(plainBlob(publicKey)), digest);
  }
  if (/^(?:ssh|ecdsa|sk)-\S+\s+AAAA/.test(text.trim())) {
    const { blob } = parsePublicKey(text);
    return ({ publicKey }) => equal(publicKey, blob);
  }
  return ({ comment }) => comment === text;
}

/**
 * Returns the key that a blob certifies. Returns the blob itself if it is no certificate, or one of an unknown type.
 * @throws SshError `key` or `protocol` if the blob is malformed
 */
export function plainBlob(blob: Bytes): Bytes {
  return isKnownCertificate(keyType(blob)) ? certifiedKey(blob) : blob;
}
