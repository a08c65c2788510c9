/** The server's side of user authentication, RFC 4252. @module */
import { type PublicKeyAlgorithm, verifyNow } from "@postern/crypto";
import {
  type Bytes,
  KeyboardInteractiveRequest,
  PasswordRequest,
  type PayloadSink,
  PublickeyProof,
  PublickeyQuery,
  quote,
  Reader,
  ServerLimits,
  ServiceAccept,
  ServiceRequest,
  SshError,
  UserauthBanner,
  UserauthFailure,
  UserauthInfoRequest,
  UserauthInfoResponse,
  UserauthPkOk,
  UserauthRequest,
  UserauthSuccess,
  type ValuesOf,
} from "@postern/wire";
import { CONNECTION_SERVICE, USERAUTH_SERVICE } from "./dialog.ts";
import type { InteractiveRequest } from "./methods/keyboard-interactive.ts";
import { signedData } from "./methods/publickey.ts";

/** What a client attempts; the server's program decides. */
export type AuthAttempt =
  | { readonly method: "none"; readonly user: string }
  | { readonly method: "password"; readonly user: string; readonly password: string }
  /** `proved` false: the client asks whether the key would do; true: its signature has been verified */
  | {
      readonly method: "publickey";
      readonly user: string;
      readonly publicKey: Bytes;
      readonly algorithm: string;
      readonly proved: boolean;
    }
  /** ask with `ask`, then decide (RFC 4256); `submethods` are the client's hints */
  | { readonly method: "keyboard-interactive"; readonly user: string; readonly submethods: readonly string[] };

/**
 * The answer to an attempt: accepted, refused, or accepted with more methods wanted (RFC 4252 section 5.1). `partial` does not say
 * what comes first: whoever accepts the second method looks at what has `passed`.
 */
export type AuthDecision = boolean | { readonly partial: readonly string[] };

/** What an {@link AuthServerMachine} is made of. */
export interface AuthServerOptions {
  readonly sink: PayloadSink;
  /** names of the methods a client may try */
  readonly methods: readonly string[];
  /** the public key algorithms user keys may use; they verify at once */
  readonly algorithms: readonly PublicKeyAlgorithm[];
  readonly banner: string | undefined;
  /** refused attempts before we disconnect; 6 unless told */
  readonly attempts?: number | undefined;
}

/** What the server's authentication machine has to tell. */
export type AuthServerEvent =
  /** answer with `decide` */
  | { readonly type: "attempt"; readonly attempt: AuthAttempt }
  /** the answers to what `ask` asked: decide, or ask again */
  | { readonly type: "responses"; readonly responses: readonly string[] }
  /** the client dropped the attempt that was asking; it is refused already */
  | { readonly type: "abandoned" }
  | { readonly type: "authenticated"; readonly user: string; readonly method: string };

type State =
  | { readonly at: "expectService" }
  | { readonly at: "expectRequest" }
  | { readonly at: "deciding"; readonly attempt: AuthAttempt }
  /** INFO_REQUEST is out */
  | { readonly at: "expectResponses"; readonly attempt: AuthAttempt; readonly prompts: number }
  | { readonly at: "authenticated" };

type Request = ValuesOf<typeof UserauthRequest>;

/** Reads attempts, verifies signatures, and sends the program's decisions. */
export class AuthServerMachine {
  readonly #options: AuthServerOptions;
  readonly #events: AuthServerEvent[] = [];
  readonly #passed: string[] = [];
  #state: State = { at: "expectService" };
  #sessionId: Bytes | undefined;
  #user: string | undefined;
  #canContinue: readonly string[];
  #failures = 0;
  #requests = 0;

  constructor(options: AuthServerOptions) {
    this.#options = options;
    this.#canContinue = options.methods;
  }

  /** False while a decision is awaited. */
  get wantsInput(): boolean {
    return this.#state.at !== "deciding";
  }

  /** The methods that were accepted in part so far, in their order. */
  get passed(): readonly string[] {
    return [...this.#passed];
  }

  /** The first key exchange is over. */
  start(sessionId: Bytes): void {
    this.#sessionId = sessionId;
  }

  next(): AuthServerEvent | undefined {
    return this.#events.shift();
  }

  /** A message numbered 5 or 50 to 79 (view). */
  receive(payload: Bytes): void {
    const state = this.#state;
    switch (state.at) {
      case "expectService":
        this.#acceptService(payload);
        return;
      case "expectRequest":
        this.#request(UserauthRequest.decode(payload));
        return;
      case "expectResponses":
        this.#responses(state.attempt, state.prompts, payload);
        return;
      case "authenticated":
        // RFC 4252 section 5.1: requests after the success are ignored silently. That is said of no other message.
        if (payload[0] === UserauthRequest.number) return;
        throw new SshError("protocol", `expected no message ${payload[0]} after USERAUTH_SUCCESS`);
      case "deciding":
        throw new SshError("misuse", "expected no input while an attempt is decided");
      default:
        state satisfies never;
    }
  }

  /** Asks the client that attempts `keyboard-interactive`; the event `responses` or `abandoned` follows (RFC 4256 section 3.2). */
  ask({ name, instruction, prompts }: InteractiveRequest): void {
    const state = this.#state;
    if (state.at !== "deciding" || state.attempt.method !== "keyboard-interactive") {
      throw new SshError("misuse", `expected a keyboard-interactive attempt to decide, got state ${state.at}`);
    }
    this.#options.sink.send(UserauthInfoRequest.encode({ name, instruction, language: "", prompts }));
    this.#state = { at: "expectResponses", attempt: state.attempt, prompts: prompts.length };
  }

  /** The program's answer to the event `attempt`, or to `responses`. Whatever is neither `true` nor a list of methods refuses. */
  decide(decision: AuthDecision): void {
    const state = this.#state;
    if (state.at !== "deciding") throw new SshError("misuse", `expected an attempt to decide, got state ${state.at}`);
    const { attempt } = state;
    this.#state = { at: "expectRequest" };
    const wanted = wantedMethods(decision);
    if (decision !== true && wanted === undefined) this.#refuse(attempt.method);
    else if (attempt.method === "publickey" && !attempt.proved) {
      // Nothing is proved by asking whether a key would do, whatever the program decides.
      const { algorithm, publicKey } = attempt;
      this.#options.sink.send(UserauthPkOk.encode({ algorithm, publicKey }));
    } else if (wanted === undefined) this.#accept(attempt);
    else {
      this.#canContinue = wanted;
      // Nothing is proved by the method none.
      if (attempt.method !== "none") this.#passed.push(attempt.method);
      this.#fail(true);
    }
  }

  #responses(attempt: AuthAttempt, prompts: number, payload: Bytes): void {
    if (payload[0] === UserauthRequest.number) {
      // RFC 4252 section 5.1: the new request aborts the old one, which MUST NOT be answered with a failure.
      this.#events.push({ type: "abandoned" });
      this.#state = { at: "expectRequest" };
      this.#countFailure();
      this.#request(UserauthRequest.decode(payload));
      return;
    }
    const { responses } = UserauthInfoResponse.decode(payload);
    if (responses.length !== prompts) {
      // RFC 4256 section 3.4: MUST be a failure.
      this.#events.push({ type: "abandoned" });
      this.#state = { at: "expectRequest" };
      this.#refuse(attempt.method);
      return;
    }
    this.#state = { at: "deciding", attempt };
    this.#events.push({ type: "responses", responses });
  }

  #acceptService(payload: Bytes): void {
    const { service } = ServiceRequest.decode(payload);
    if (service !== USERAUTH_SERVICE) {
      throw new SshError("protocol", `expected a request for the service ${USERAUTH_SERVICE}, got ${quote(service)}`);
    }
    this.#options.sink.send(ServiceAccept.encode({ service }));
    const { banner } = this.#options;
    if (banner !== undefined) this.#options.sink.send(UserauthBanner.encode({ message: banner, language: "" }));
    this.#state = { at: "expectRequest" };
  }

  #request(request: Request): void {
    if (request.service !== CONNECTION_SERVICE) {
      throw new SshError("protocol", `expected the service ${CONNECTION_SERVICE}, got ${quote(request.service)}`);
    }
    // RFC 4252 section 5: a change of user would have to flush all state; OpenSSH disconnects, and so do we.
    this.#user ??= request.user;
    if (this.#user !== request.user) throw new SshError("protocol", "expected the user name not to change");
    this.#requests++;
    const attempt = this.#attempt(request);
    if (attempt === undefined) this.#refuse(request.method);
    else {
      this.#state = { at: "deciding", attempt };
      this.#events.push({ type: "attempt", attempt });
    }
  }

  /** What the program is asked; undefined when there is nothing to ask. */
  #attempt({ user, method, specificData }: Request): AuthAttempt | undefined {
    if (method === "none") return { method, user };
    if (!this.#canContinue.includes(method)) return undefined;
    if (method === "password") {
      // A password change (RFC 4252 section 8) is a request we never ask for.
      if (new Reader(specificData, "password request").boolean()) return undefined;
      return { method, user, password: PasswordRequest.decode(specificData).password };
    }
    if (method === "keyboard-interactive") {
      const submethods = KeyboardInteractiveRequest.decode(specificData).submethods.split(",");
      return { method, user, submethods: submethods.filter((name) => name !== "") };
    }
    return method === "publickey" ? this.#publickey(user, specificData) : undefined;
  }

  #publickey(user: string, specificData: Bytes): AuthAttempt | undefined {
    const proved = new Reader(specificData, "publickey request").boolean();
    const { algorithm, publicKey } = (proved ? PublickeyProof : PublickeyQuery).decode(specificData);
    if (publicKey.length > ServerLimits.userKeyBytes) return undefined;
    const verifier = this.#options.algorithms.find(({ name }) => name === algorithm);
    if (verifier === undefined) return undefined;
    if (proved && !this.#verifies(verifier, user, specificData)) return undefined;
    return { method: "publickey", user, publicKey, algorithm, proved };
  }

  #verifies(verifier: PublicKeyAlgorithm, user: string, specificData: Bytes): boolean {
    const { algorithm, publicKey, signature } = PublickeyProof.decode(specificData);
    const signed = PublickeyQuery.encode({ hasSignature: true, algorithm, publicKey });
    const request = { user, service: CONNECTION_SERVICE, method: "publickey", specificData: signed };
    if (this.#sessionId === undefined) throw new SshError("misuse", "expected the session identifier to be known");
    try {
      const data = signedData(this.#sessionId, UserauthRequest.encode(request));
      return verifyNow(verifier, publicKey, data, signature);
    } catch (error) {
      // A malformed key is a refused key: the client may have a better one.
      if (error instanceof SshError && error.code === "key") return false;
      throw error;
    }
  }

  #accept(attempt: AuthAttempt): void {
    this.#options.sink.send(UserauthSuccess.encode({}));
    this.#state = { at: "authenticated" };
    this.#events.push({ type: "authenticated", user: attempt.user, method: attempt.method });
  }

  #refuse(method: string): void {
    // To ask once with "none" is how a client learns the methods (RFC 4252 section 5.2).
    const asked = method === "none" && this.#requests === 1;
    if (!asked) this.#countFailure();
    this.#fail(false);
  }

  #countFailure(): void {
    const { attempts = ServerLimits.authAttempts } = this.#options;
    if (++this.#failures >= attempts) throw new SshError("auth", `expected a valid login within ${attempts} attempts`);
  }

  #fail(partialSuccess: boolean): void {
    this.#options.sink.send(UserauthFailure.encode({ canContinue: this.#canContinue, partialSuccess }));
  }
}

/** The methods of a decision that accepts in part. A program in JavaScript may give anything: what is no such decision is none. */
function wantedMethods(decision: unknown): readonly string[] | undefined {
  if (typeof decision !== "object" || decision === null || !("partial" in decision)) return undefined;
  const { partial } = decision;
  if (!Array.isArray(partial)) return undefined;
  const names: readonly unknown[] = partial;
  return names.length > 0 && names.every((name) => typeof name === "string") ? names : undefined;
}
