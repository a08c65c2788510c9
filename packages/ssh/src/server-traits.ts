/** Known behaviour of servers, by their identification line. @module */

/** An unknown server has none of these traits. */
export interface ServerTraits {
  /**
   * Accepts USERAUTH_REQUEST directly after our NEWKEYS and SERVICE_REQUEST. libssh before 0.12 does not: it never
   * leaves the key exchange, so login succeeds but nothing after it works.
   */
  readonly oneFlight?: boolean;
  /**
   * Finishes each message, a login request included, before it reads the next one. Servers that check keys in the
   * background would treat an early request as one without a login.
   */
  readonly inOrder?: boolean;
  /** Uses Nagle's algorithm, so its answers may wait until we acknowledge its previous packet (sshd before 10.1). */
  readonly delaysAnswers?: boolean;
  /** Its UNIMPLEMENTED names the packet after the one it means, because tinysshd increments its counter first. */
  readonly namesNextPacket?: boolean;
  /** Knows the certificates of RSA keys by their type alone, also with a signature of SHA-2 (OpenSSH 7.2 to 7.7). */
  readonly oldCertificateNames?: boolean;
}

const openSsh: ServerTraits = { oneFlight: true, inOrder: true, delaysAnswers: true };

/** Patterns for the line after `SSH-2.0-`; the first match applies. */
const known: readonly (readonly [RegExp, ServerTraits])[] = [
  // Its login code is OpenSSH's. Early requests were not tested with it.
  [/^OpenSSH_for_W/, { oneFlight: true }],
  [/^OpenSSH_7\.[2-7](?!\d)/, { ...openSsh, oldCertificateNames: true }],
  [/^OpenSSH_/, openSsh],
  [/^(?:dropbear|Postern)_/, { oneFlight: true, inOrder: true }],
  [/^Go$/, { oneFlight: true }],
  [/^tinyssh[_ ]/, { namesNextPacket: true }],
];

/** Returns the traits of a server with this identification line. */
export function serverTraits(version: string): ServerTraits {
  const software = version.replace("SSH-2.0-", "");
  return known.find(([pattern]) => pattern.test(software))?.[1] ?? {};
}
