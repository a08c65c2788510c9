/** What servers are known to do, by their identification line. @module */

/** A server that is not known gets the careful treatment: all false. */
export interface ServerTraits {
  /**
   * It takes USERAUTH_REQUEST right behind our NEWKEYS and SERVICE_REQUEST. libssh before 0.12 does not: it never leaves the key exchange,
   * lets us log in, and then serves nothing.
   */
  readonly oneFlight: boolean;
  /**
   * It is done with one message before it reads the next, the login's among them. Others, which check a key while they read on, would take a
   * request that comes early for one without a login.
   */
  readonly inOrder: boolean;
  /** Nagle's algorithm may hold back its answers until we acknowledge what came before (sshd before 10.1). */
  readonly delaysAnswers: boolean;
  /** Its UNIMPLEMENTED names the packet behind the one it means: tinysshd counts it before it answers. */
  readonly namesNextPacket: boolean;
}

const careful: ServerTraits = { oneFlight: false, inOrder: false, delaysAnswers: false, namesNextPacket: false };

/** The first pattern that matches the rest of the line after `SSH-2.0-` decides. */
const known: readonly (readonly [RegExp, Partial<ServerTraits>])[] = [
  // Its code for logins is that of OpenSSH; early requests were not tested with it.
  [/^OpenSSH_for_W/, { oneFlight: true }],
  [/^OpenSSH_/, { oneFlight: true, inOrder: true, delaysAnswers: true }],
  [/^(?:dropbear|Postern)_/, { oneFlight: true, inOrder: true }],
  [/^Go$/, { oneFlight: true }],
  [/^tinyssh[_ ]/, { namesNextPacket: true }],
];

/** The traits of a server by its identification line. */
export function serverTraits(version: string): ServerTraits {
  const software = version.replace("SSH-2.0-", "");
  return { ...careful, ...known.find(([pattern]) => pattern.test(software))?.[1] };
}
