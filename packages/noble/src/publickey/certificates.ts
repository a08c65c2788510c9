/** Algorithms of certificates in pure JavaScript. @module */
import type { PublicKeyAlgorithm } from "@postern/crypto";
import { createCertificateAlgorithm } from "@postern/keys";
import { ecdsaNistp256, ecdsaNistp384, ecdsaNistp521 } from "./ecdsa.ts";
import { sshEd25519 } from "./ed25519.ts";
import { rsaSha2_256, rsaSha2_512 } from "./rsa.ts";
import { skEcdsaNistp256, skSshEd25519 } from "./security-key.ts";

/** `ssh-ed25519-cert-v01@openssh.com` in pure JavaScript. */
export const sshEd25519Certificate: PublicKeyAlgorithm = /* @__PURE__ */ createCertificateAlgorithm(sshEd25519);
/** `ecdsa-sha2-nistp256-cert-v01@openssh.com` in pure JavaScript. */
export const ecdsaNistp256Certificate: PublicKeyAlgorithm = /* @__PURE__ */ createCertificateAlgorithm(ecdsaNistp256);
/** `ecdsa-sha2-nistp384-cert-v01@openssh.com` in pure JavaScript. */
export const ecdsaNistp384Certificate: PublicKeyAlgorithm = /* @__PURE__ */ createCertificateAlgorithm(ecdsaNistp384);
/** `ecdsa-sha2-nistp521-cert-v01@openssh.com` in pure JavaScript. */
export const ecdsaNistp521Certificate: PublicKeyAlgorithm = /* @__PURE__ */ createCertificateAlgorithm(ecdsaNistp521);
/** `rsa-sha2-512-cert-v01@openssh.com` in pure JavaScript. */
export const rsaSha2_512Certificate: PublicKeyAlgorithm = /* @__PURE__ */ createCertificateAlgorithm(rsaSha2_512);
/** `rsa-sha2-256-cert-v01@openssh.com` in pure JavaScript. */
export const rsaSha2_256Certificate: PublicKeyAlgorithm = /* @__PURE__ */ createCertificateAlgorithm(rsaSha2_256);
/** `sk-ssh-ed25519-cert-v01@openssh.com` in pure JavaScript. */
export const skSshEd25519Certificate: PublicKeyAlgorithm = /* @__PURE__ */ createCertificateAlgorithm(skSshEd25519);
/** `sk-ecdsa-sha2-nistp256-cert-v01@openssh.com` in pure JavaScript. */
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
