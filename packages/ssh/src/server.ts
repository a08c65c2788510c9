/** The server: signing with the host key and deciding about logins. @module */
import { type AuthAttempt, type AuthDecision, AuthServerMachine, type InteractiveRequest } from "@postern/auth";
import type { PublicKeyAlgorithm } from "@postern/crypto";
import { identification } from "@postern/transport";
import { ServerLimits, SshError } from "@postern/wire";
import type { BytePipe } from "./byte-pipe.ts";
import { Connection } from "./connection.ts";
import { type Deferred, deferred } from "./deferred.ts";
import { checkServer, type LoginAttempt, orDrop, rekeyLimits, type ServerOptions } from "./options.ts";
import { type ServerLogin, type SessionEvent, SessionMachine } from "./session-machine.ts";
import type { SshConnection } from "./ssh-connection.ts";
import { defaultSoftware } from "./version.ts";

/**
 * Accepts the SSH client at the other end of a pipe (takes it). Resolves when the client has logged in.
 *
 * @throws SshError if it does not log in; `signal.reason` if aborted
 */
export async function accept(pipe: BytePipe, options: ServerOptions): Promise<SshConnection> {
  const { session, now } = orDrop(pipe, () => {
    checkServer(options);
    options.signal?.throwIfAborted();
    const { now = () => performance.now() } = options;
    const session = new SessionMachine({
      role: "server",
      algorithms: options.algorithms,
      random: options.random,
      hostKeys: options.hostKeys,
      userKeys: options.userKeys,
      version: serverVersion(options),
      rekey: rekeyLimits(options.rekey),
      // Each key exchange costs the server a signature, so a client may start only a few before it has logged in.
      peerRekeys: ServerLimits.kexBeforeLogin,
      now: now(),
      tap: options.tap,
      login: serverLogin({
        methods: options.methods ?? ["publickey", "password"],
        algorithms: options.userKeys ?? options.algorithms.hostKeys,
        banner: options.banner,
        attempts: options.attempts,
      }),
    });
    return { session, now };
  });
  const login = new Login(session, options);
  const connection = new Connection(pipe, session, options, now, (event, self) => login.event(event, self));
  const ended = (error?: unknown): void => login.ended(error ?? new SshError("closed", "the connection was closed"));
  void connection.closed.then(() => ended(), ended);
  return await connection.open("");
}

/** Returns our identification line, with comments if there are some (RFC 4253 section 4.2). */
function serverVersion({ software = defaultSoftware, versionAddendum = "" }: ServerOptions): string {
  return `${identification(software)}${versionAddendum === "" ? "" : ` ${versionAddendum}`}`;
}

/** Options of {@link serverLogin}. */
export interface ServerLoginOptions {
  /** names of the methods offered */
  readonly methods: readonly string[];
  /** algorithms of the keys users may log in with */
  readonly algorithms: readonly PublicKeyAlgorithm[];
  readonly banner: string | undefined;
  readonly attempts?: number | undefined;
}

/** Returns the login of a {@link SessionMachine} in the role of a server. */
export function serverLogin(options: ServerLoginOptions): ServerLogin {
  return (sink) => new AuthServerMachine({ sink, ...options });
}

/** The login of one client. */
class Login {
  readonly #session: SessionMachine;
  readonly #options: ServerOptions;
  /** The attempt that is being decided. Decisions about earlier attempts are ignored. */
  #attempt: AuthAttempt | undefined;
  /** the pending call of `ask` */
  #answers: Deferred<readonly string[]> | undefined;
  /** aborts the decision */
  #abort = new AbortController();

  constructor(session: SessionMachine, options: ServerOptions) {
    this.#session = session;
    this.#options = options;
  }

  event(event: SessionEvent, connection: Connection): void {
    if (event.type === "sign") {
      connection.decide(
        () => event.signer.sign(event.data, event.algorithm),
        (signature) => this.#session.signed(signature),
      );
    } else if (event.type === "attempt") this.#decide(event.attempt, connection);
    else if (event.type === "responses") {
      this.#answers?.resolve(event.responses);
      this.#answers = undefined;
    } else if (event.type === "abandoned") {
      this.ended(new SshError("aborted", "the client dropped its attempt to log in"));
    } else if (event.type === "authenticated") {
      connection.loginDone(event.user);
      this.#options.onLogin?.(connection);
    } else throw new SshError("misuse", `expected no event ${event.type} on a server`);
  }

  /** The attempt or the connection has ended: aborts the pending decision. */
  ended(reason: unknown): void {
    this.#attempt = undefined;
    this.#answers?.reject(reason);
    this.#answers = undefined;
    this.#abort.abort(reason);
  }

  #decide(attempt: AuthAttempt, connection: Connection): void {
    this.#attempt = attempt;
    this.#abort = new AbortController();
    const { authenticate } = this.#options;
    const context = { passed: this.#session.authServer?.passed ?? [], signal: this.#abort.signal };
    const shown: LoginAttempt =
      attempt.method === "keyboard-interactive"
        ? { ...attempt, ...context, ask: (request) => this.#ask(attempt, request, connection) }
        : { ...attempt, ...context };
    connection.decide(
      async (): Promise<AuthDecision> => {
        try {
          return await authenticate(shown);
        } catch {
          return false;
        }
      },
      (decision) => {
        if (this.#attempt !== attempt) return;
        this.#attempt = undefined;
        this.#session.authServer?.decide(decision);
      },
    );
  }

  #ask(attempt: AuthAttempt, request: InteractiveRequest, connection: Connection): Promise<readonly string[]> {
    const answers = deferred<readonly string[]>();
    if (this.#attempt !== attempt || this.#answers !== undefined) {
      answers.reject(new SshError("misuse", "expected ask to be called during its attempt, and once at a time"));
      return answers.promise;
    }
    this.#answers = answers;
    try {
      connection.decide(
        () => undefined,
        () => this.#session.authServer?.ask(request),
      );
    } catch (error) {
      this.#answers = undefined;
      answers.reject(error);
    }
    return answers.promise;
  }
}
