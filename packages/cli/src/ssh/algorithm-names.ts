/** The names of the algorithms that this program supports, best first. @module */
import { type Algorithms, compatibleAlgorithms } from "@postern/node";

const { ciphers: knownCiphers, hostKeys, kex: knownKex, macs: knownMacs }: Algorithms = compatibleAlgorithms;

const names = (all: readonly { readonly name: string }[]): readonly string[] => all.map(({ name }) => name);

/** Security keys sign logins, and are no host keys here. */
const securityKeys: readonly string[] = ["sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"];

/** Returns the type of the certificate of a key or signature algorithm (OpenSSH PROTOCOL.certkeys). */
const certificateOf = (name: string): string => `${name.replace("@openssh.com", "")}-cert-v01@openssh.com`;

export const ciphers: readonly string[] = names(knownCiphers);
export const aeadCiphers: readonly string[] = names(knownCiphers.filter(({ isAead }) => isAead));
export const kexAlgorithms: readonly string[] = names(knownKex);
export const macs: readonly string[] = names(knownMacs);

/** Signature algorithms of host keys, plain. */
const hostSignatures: readonly string[] = names(hostKeys);
/** Signature algorithms of user keys, plain. */
export const signatures: readonly string[] = [...hostSignatures, ...securityKeys];
/** Signature algorithms of host keys, those of certificates first. */
export const hostKeyAlgorithms: readonly string[] = [...hostSignatures.map(certificateOf), ...hostSignatures];
/** Signature algorithms of user keys, those of certificates first. */
export const userKeyAlgorithms: readonly string[] = [...signatures.map(certificateOf), ...signatures];

/** The types of keys, plain. RSA keys have one type, and sign with two algorithms. */
export const keyTypes: readonly string[] = [
  ...new Set(signatures.map((name) => (name.startsWith("rsa-") ? "ssh-rsa" : name))),
];
export const certificateTypes: readonly string[] = keyTypes.map(certificateOf);
