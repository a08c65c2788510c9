/** The interface of login methods. @module */
import type { Bytes } from "@postern/wire";

/** The service that runs after login (RFC 4252 section 5; RFC 4254 section 1). */
export const CONNECTION_SERVICE = "ssh-connection";
/** The service of user authentication (RFC 4252 section 4). */
export const USERAUTH_SERVICE = "ssh-userauth";

/** A value, or a promise of it. */
export type MaybePromise<T> = T | Promise<T>;

/** The values that a login method builds its messages from. */
export interface AuthContext {
  readonly user: string;
  readonly sessionId: Bytes;
  /** the server's server-sig-algs (RFC 8308 section 3.1); `undefined` if it sent none */
  readonly serverAlgorithms: readonly string[] | undefined;
  /** whether the server knows the certificates of RSA keys as `ssh-rsa-cert-v01@openssh.com` only */
  readonly oldCertificateNames?: boolean;
  /** aborts when the login is given up */
  readonly signal: AbortSignal | undefined;
}

/** A login method, an element of `auth: [...]`. Methods are tried in order. */
export interface AuthMethod {
  /** the name of the method in the RFC, such as `password` */
  readonly name: string;
  /** whether the method begins only after the server could send server-sig-algs */
  readonly needsServerAlgorithms?: boolean;
  /** whether the server answers the first request with SUCCESS or FAILURE, without further messages */
  readonly oneRequest?: boolean;
  begin(context: AuthContext): AuthDialog;
}

/** One attempt of a method. */
export interface AuthDialog {
  /**
   * Returns the next payload for the server. The first call has no answer, later calls have a message of the method
   * (numbers 60 to 79). If it returns `undefined`, throws or rejects, the next method is tried.
   */
  next(answer: Bytes | undefined): MaybePromise<Bytes | undefined>;
}
