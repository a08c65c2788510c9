/** What a login method is: it speaks with the server through a dialog of its own. @module */
import type { Bytes } from "@postern/wire";

/** The one service a login leads to (RFC 4252 section 5; RFC 4254 section 1). */
export const CONNECTION_SERVICE = "ssh-connection";
/** The service name of user authentication itself (RFC 4252 section 4). */
export const USERAUTH_SERVICE = "ssh-userauth";

/** A value now, or a promise of it. */
export type MaybePromise<T> = T | Promise<T>;

/** What a method may build its messages from. */
export interface AuthContext {
  readonly user: string;
  readonly sessionId: Bytes;
  /** the server's server-sig-algs (RFC 8308 section 3.1); undefined when it sent none */
  readonly serverAlgorithms: readonly string[] | undefined;
  /** fires when the login is given up */
  readonly signal: AbortSignal | undefined;
}

/** One way to log in, given in `auth: [...]`. Methods are tried in order. */
export interface AuthMethod {
  /** the RFC's name of the method, such as `password` */
  readonly name: string;
  /** true: begin only when the server has had the occasion to send server-sig-algs */
  readonly needsServerAlgorithms?: boolean;
  /** true: the server answers the first request with SUCCESS or FAILURE, and asks nothing */
  readonly oneRequest?: boolean;
  begin(context: AuthContext): AuthDialog;
}

/** One attempt of a method. */
export interface AuthDialog {
  /**
   * The next payload for the server: first with no answer, then with each message of the method (numbers 60 to 79).
   * `undefined`, or an error thrown, gives the method up; the next one is tried.
   */
  next(answer: Bytes | undefined): MaybePromise<Bytes | undefined>;
}
