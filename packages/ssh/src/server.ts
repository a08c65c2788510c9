/** The server: host key signature and login decisions. @module */
import type { AuthAttempt, AuthDecision, InteractiveRequest } from "@postern/auth";
import { identification } from "@postern/transport";
import { ServerLimits, SshError } from "@postern/wire";
import type { BytePipe } from "./byte-pipe.ts";
import { Connection } from "./connection.ts";
import { checkServer, type LoginAttempt, orDrop, refuseAborted, rekeyLimits, type ServerOptions } from "./options.ts";
import { serverLogin } from "./server-login.ts";
import { type SessionEvent, SessionMachine } from "./session-machine.ts";
import type { SshConnection } from "./ssh-connection.ts";
import { defaultSoftware } from "./version.ts";

/**
 * Serves the SSH client at the other end of a pipe; resolves when it has logged in.
 *
 * @throws SshError when it does not
 */
export async function serve(pipe: BytePipe, options: ServerOptions): Promise<SshConnection> {
  orDrop(pipe, () => checkServer(options));
  refuseAborted(pipe, options.signal);
  const now = options.now ?? (() => performance.now());
  const session = orDrop(
    pipe,
    () =>
      new SessionMachine({
        role: "server",
        algorithms: options.algorithms,
        random: options.random,
        hostKeys: options.hostKeys,
        version: identification(options.software ?? defaultSoftware),
        rekey: rekeyLimits(options.rekey),
        now: now(),
        login: serverLogin({
          methods: options.methods ?? ["publickey", "password"],
          algorithms: options.algorithms.hostKeys,
          banner: options.banner,
          attempts: options.attempts,
        }),
      }),
  );
  // Nobody may make a server sign again and again before it is known who asks.
  session.transport.limitPeerRekeys(ServerLimits.kexBeforeLogin);
  const login = new Login(session, options);
  const connection = new Connection(pipe, session, options, now, (event, self) => login.event(event, self));
  const ended = (error?: unknown): void => login.ended(error ?? new SshError("closed", "the connection was closed"));
  void connection.closed.then(() => ended(), ended);
  return await connection.open("");
}

/** What `ask` waits for. */
interface Answers {
  resolve(responses: readonly string[]): void;
  reject(error: unknown): void;
}

/** The decisions of one login. */
class Login {
  readonly #session: SessionMachine;
  readonly #options: ServerOptions;
  /** the attempt that is being decided; the decision about any other comes too late */
  #attempt: AuthAttempt | undefined;
  #answers: Answers | undefined;
  /** of the attempt that is being decided */
  #abort = new AbortController();

  constructor(session: SessionMachine, options: ServerOptions) {
    this.#session = session;
    this.#options = options;
  }

  event(event: SessionEvent, connection: Connection): void {
    if (event.type === "sign") {
      connection.decide(
        () => event.signer.sign(event.data, event.algorithm),
        (signature) => this.#session.transport.signed(signature),
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

  /** Nobody waits for the decision any more. */
  ended(why: unknown): void {
    this.#attempt = undefined;
    this.#answers?.reject(why);
    this.#answers = undefined;
    this.#abort.abort(why);
  }

  #decide(attempt: AuthAttempt, connection: Connection): void {
    this.#attempt = attempt;
    this.#abort = new AbortController();
    const { authenticate } = this.#options;
    const context = { passed: this.#session.authServer?.passed ?? [], signal: this.#abort.signal };
    const shown: LoginAttempt =
      attempt.method === "keyboard-interactive"
        ? { ...attempt, ...context, ask: (request) => quiet(this.#ask(attempt, request, connection)) }
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

  async #ask(attempt: AuthAttempt, request: InteractiveRequest, connection: Connection): Promise<readonly string[]> {
    if (this.#attempt !== attempt || this.#answers !== undefined) {
      throw new SshError("misuse", "expected one question at a time, and none when the attempt is over");
    }
    return await new Promise((resolve, reject) => {
      this.#answers = { resolve, reject };
      connection.decide(
        () => undefined,
        () => this.#session.authServer?.ask(request),
      );
    });
  }
}

/** A program may have stopped waiting: its question's end must not become an unhandled rejection. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
