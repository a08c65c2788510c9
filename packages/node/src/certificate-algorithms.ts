/** Algorithms of certificates and security keys over `node:crypto`. @module */
import { createSecurityKey, type PublicKeyAlgorithm } from "@postern/crypto";
import { createCertificateAlgorithm } from "@postern/keys";
import { sha256 } from "./hash.ts";
import { ecdsaNistp256, ecdsaNistp384, ecdsaNistp521, rsaSha2_256, rsaSha2_512, sshEd25519 } from "./public-keys.ts";

export const skSshEd25519: PublicKeyAlgorithm = /* @__PURE__ */ createSecurityKey(sshEd25519, sha256);
export const skEcdsaNistp256: PublicKeyAlgorithm = /* @__PURE__ */ createSecurityKey(ecdsaNistp256, sha256);
export const sshEd25519Certificate: PublicKeyAlgorithm = /* @__PURE__ */ createCertificateAlgorithm(sshEd25519);
export const ecdsaNistp256Certificate: PublicKeyAlgorithm = /* @__PURE__ */ createCertificateAlgorithm(ecdsaNistp256);
export const ecdsaNistp384Certificate: PublicKeyAlgorithm = /* @__PURE__ */ createCertificateAlgorithm(ecdsaNistp384);
export const ecdsaNistp521Certificate: PublicKeyAlgorithm = /* @__PURE__ */ createCertificateAlgorithm(ecdsaNistp521);
export const rsaSha2_512Certificate: PublicKeyAlgorithm = /* @__PURE__ */ createCertificateAlgorithm(rsaSha2_512);
export const rsaSha2_256Certificate: PublicKeyAlgorithm = /* @__PURE__ */ createCertificateAlgorithm(rsaSha2_256);
export const skSshEd25519Certificate: PublicKeyAlgorithm = /* @__PURE__ */ createCertificateAlgorithm(skSshEd25519);
export const skEcdsaNistp256Certificate: PublicKeyAlgorithm =
  /* @__PURE__ */ createCertificateAlgorithm(skEcdsaNistp256);

/** The certificate forms of the host and user key algorithms, and those of security keys, best first. */
export const certificateAlgorithms: readonly PublicKeyAlgorithm[] = [
  sshEd25519Certificate,
  ecdsaNistp256Certificate,
  ecdsaNistp384Certificate,
  ecdsaNistp521Certificate,
  skSshEd25519Certificate,
  skEcdsaNistp256Certificate,
  rsaSha2_512Certificate,
  rsaSha2_256Certificate,
];
