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
  /** the server's host key blob, which the program trusts (RFC 4253 section 6.6) */
  readonly hostKey: Bytes;
  /** the signature blob of the session identifier by that key */
  readonly signature: Bytes;
  /** the server's server-sig-algs (RFC 8308 section 3.1); `undefined` if it sent none */
  readonly serverAlgorithms: readonly string[] | undefined;
  /** whether the server accepts `publickey-hostbound-v00@openssh.com`, as far as it has said */
  readonly hostbound: boolean;
  /**
   * How many requests the server may refuse before the next entry of `auth` begins, if it disconnects at the sixth
   * (MaxAuthTries of OpenSSH) and each later entry needs one. May be below 1.
   */
  readonly refusalsLeft: number;
  /** whether the server knows the certificates of RSA keys as `ssh-rsa-cert-v01@openssh.com` only */
  readonly oldCertificateNames?: boolean;
  /** aborts when the login is given up */
  readonly signal: AbortSignal | undefined;
}

/** A login method. */
export interface AuthMethod {
  /** the name of the method in the RFC, such as `password` */
  readonly name: string;
  /** names the method and its credential in error messages; default: `name` */
  readonly label?: string;
  /** whether the method begins only after the server could send server-sig-algs */
  readonly needsServerAlgorithms?: boolean;
  /** whether the server answers the first request with SUCCESS or FAILURE, without further messages */
  readonly oneRequest?: boolean;
  /** whether the method is tried even if the server does not list its name, as no server lists `none` */
  readonly unlisted?: boolean;
  begin(context: AuthContext): AuthDialog;
}

/**
 * An element of `auth: [...]`: a login method, or a function that returns some. The function is called when the methods
 * before it were refused or did not suffice; its methods take its place. Methods are tried in order.
 */
export type AuthEntry = AuthMethod | ((context: AuthContext) => MaybePromise<AuthEntry | readonly AuthEntry[]>);

/** The result of a step: the next payload, `undefined` to give up, or methods to try instead. */
export type AuthStep = Bytes | AuthEntry | readonly AuthEntry[] | undefined;

/** One attempt of a method. */
export interface AuthDialog {
  /**
   * Returns the next payload for the server. The first call has no answer, later calls have a message of the method
   * (numbers 60 to 79). If it returns `undefined`, throws or rejects, the next method is tried. If it returns methods,
   * they take the place of this one.
   */
  next(answer: Bytes | undefined): MaybePromise<AuthStep>;
}
