/** The names of key types and signature algorithms in certificates (OpenSSH PROTOCOL.certkeys). @module */

const suffix = "-cert-v01@openssh.com";

/**
 * Returns the name of a key type or signature algorithm in its certificate form: `ssh-ed25519-cert-v01@openssh.com`
 * for `ssh-ed25519`, `sk-ssh-ed25519-cert-v01@openssh.com` for `sk-ssh-ed25519@openssh.com`.
 */
export function certificateName(name: string): string {
  return name.replace(/@openssh\.com$/, "") + suffix;
}

/** Returns the plain name for the name of a certificate's type or algorithm, or `undefined` for any other name. */
export function plainName(name: string): string | undefined {
  if (!name.endsWith(suffix)) return undefined;
  const plain = name.slice(0, -suffix.length);
  return plain.startsWith("sk-") ? `${plain}@openssh.com` : plain;
}
