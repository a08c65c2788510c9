/** The server's side of user authentication, RFC 4252. @module */
import type { PublicKeyAlgorithm } from "@postern/crypto";
import {
  type Bytes,
  equal,
  HOSTBOUND_METHOD,
  KeyboardInteractiveRequest,
  PasswordRequest,
  type PayloadSink,
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
import { hasAllowedSize, plainKey, readPublickey, verifies } from "./server-checks.ts";
import { type AuthAttempt, type AuthDecision, allowsUntouched, requiredMethods } from "./server-decision.ts";

/** Options of an {@link AuthServerMachine}. */
export interface AuthServerOptions {
  readonly sink: PayloadSink;
  /** names of the methods that a client may try */
  readonly methods: readonly string[];
  /** the algorithms of user keys; they must verify synchronously */
  readonly algorithms: readonly PublicKeyAlgorithm[];
  readonly banner: string | undefined;
  /** refused attempts before the machine disconnects; default 6 */
  readonly attempts?: number | undefined;
}

/** An event of an {@link AuthServerMachine}. */
export type AuthServerEvent =
  /** call `decide` */
  | { readonly type: "attempt"; readonly attempt: AuthAttempt }
  /** the answers to `ask`; call `decide`, or `ask` again */
  | { readonly type: "responses"; readonly responses: readonly string[] }
  /** the client dropped the attempt during `ask`; it counts as refused */
  | { readonly type: "abandoned" }
  | { readonly type: "authenticated"; readonly user: string; readonly method: string };

type State =
  | { readonly at: "expectService" }
  | { readonly at: "expectRequest" }
  | { readonly at: "deciding"; readonly attempt: AuthAttempt }
  /** INFO_REQUEST is sent */
  | { readonly at: "expectResponses"; readonly attempt: AuthAttempt; readonly prompts: number }
  | { readonly at: "authenticated" };

type Request = ValuesOf<typeof UserauthRequest>;

/** Reads login attempts, verifies signatures, and sends the decisions of the program. */
export class AuthServerMachine {
  readonly #options: AuthServerOptions;
  readonly #events: AuthServerEvent[] = [];
  readonly #passed: string[] = [];
  /** The keys that were accepted with `partial`. */
  readonly #passedKeys: Bytes[] = [];
  #state: State = { at: "expectService" };
  #server: { readonly sessionId: Bytes; readonly hostKey: Bytes } | undefined;
  #user: string | undefined;
  #canContinue: readonly string[];
  #failures = 0;
  #requests = 0;

  constructor(options: AuthServerOptions) {
    this.#options = options;
    this.#canContinue = options.methods;
  }

  /** `false` while an attempt waits for its decision. */
  get wantsInput(): boolean {
    return this.#state.at !== "deciding";
  }

  /** The methods that were accepted with `partial`, in order. */
  get passed(): readonly string[] {
    return [...this.#passed];
  }

  /** Sets the session identifier and our host key blob, after the first key exchange. */
  start(sessionId: Bytes, hostKey: Bytes): void {
    this.#server = { sessionId, hostKey };
  }

  next(): AuthServerEvent | undefined {
    return this.#events.shift();
  }

  /** Handles a message numbered 5 or 50 to 79 (view). */
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
        // RFC 4252 section 5.1: requests after the success are ignored silently. Other messages are not.
        if (payload[0] === UserauthRequest.number) return;
        throw new SshError("protocol", `expected no message ${payload[0]} after USERAUTH_SUCCESS`);
      case "deciding":
        throw new SshError("misuse", "expected no input before the attempt is decided");
      default:
        state satisfies never;
    }
  }

  /**
   * Sends prompts for a `keyboard-interactive` attempt (RFC 4256 section 3.2). `responses` or `abandoned` follows.
   * @throws SshError `misuse` if a prompt is empty, because clients may not show it
   */
  ask({ name, instruction, prompts }: InteractiveRequest): void {
    const state = this.#state;
    if (state.at !== "deciding" || state.attempt.method !== "keyboard-interactive") {
      throw new SshError("misuse", `expected a keyboard-interactive attempt to decide, got state ${state.at}`);
    }
    if (prompts.some(({ prompt }) => prompt === "")) throw new SshError("misuse", "expected prompts, got an empty one");
    this.#options.sink.send(UserauthInfoRequest.encode({ name, instruction, language: "", prompts }));
    this.#state = { at: "expectResponses", attempt: state.attempt, prompts: prompts.length };
  }

  /** Decides the attempt of the event `attempt` or `responses`. Any value of another type refuses it. */
  decide(decision: AuthDecision): void {
    const state = this.#state;
    if (state.at !== "deciding") throw new SshError("misuse", `expected an attempt to decide, got state ${state.at}`);
    const { attempt } = state;
    this.#state = { at: "expectRequest" };
    const required = requiredMethods(decision);
    const untouched = attempt.method === "publickey" && attempt.securityKey?.userPresent === false;
    const isAccepted = untouched ? allowsUntouched(decision) : decision === true || allowsUntouched(decision);
    if (!isAccepted && (required === undefined || untouched)) this.#refuse(attempt.method);
    else if (attempt.method === "publickey" && !attempt.proved) {
      // Without a signature the client has proved nothing, so even `true` does not log it in.
      const { algorithm, publicKey } = attempt;
      this.#options.sink.send(UserauthPkOk.encode({ algorithm, publicKey }));
    } else if (required === undefined) this.#accept(attempt);
    else {
      this.#canContinue = required;
      // The method `none` proves nothing, so it does not count as passed.
      if (attempt.method !== "none") this.#passed.push(attempt.method);
      if (attempt.method === "publickey")
        this.#passedKeys.push(plainKey(this.#options.algorithms, attempt.algorithm, attempt.publicKey));
      this.#fail(true);
    }
  }

  #responses(attempt: AuthAttempt, prompts: number, payload: Bytes): void {
    if (payload[0] === UserauthRequest.number) {
      // RFC 4252 section 5.1: the new request aborts the old one, which MUST NOT be answered with FAILURE.
      this.#events.push({ type: "abandoned" });
      this.#state = { at: "expectRequest" };
      this.#countFailure();
      this.#request(UserauthRequest.decode(payload));
      return;
    }
    const { responses } = UserauthInfoResponse.decode(payload);
    if (responses.length !== prompts) {
      // RFC 4256 section 3.4: the server MUST send FAILURE.
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
    // RFC 4252 section 5: a new user name would have to reset all state. Like OpenSSH, we disconnect instead.
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

  /** Returns the attempt for the program, or `undefined` if the request is refused without it. */
  #attempt({ user, method, specificData }: Request): AuthAttempt | undefined {
    if (method === "none") return { method, user };
    const hostbound = method === HOSTBOUND_METHOD;
    if (!this.#canContinue.includes(hostbound ? "publickey" : method)) return undefined;
    if (method === "password") {
      // We never request a password change (RFC 4252 section 8).
      if (new Reader(specificData, "password request").boolean()) return undefined;
      return { method, user, password: PasswordRequest.decode(specificData).password };
    }
    if (method === "keyboard-interactive") {
      const submethods = KeyboardInteractiveRequest.decode(specificData).submethods.split(",");
      return { method, user, submethods: submethods.filter((name) => name !== "") };
    }
    return hostbound || method === "publickey" ? this.#publickey(user, method, specificData) : undefined;
  }

  #publickey(user: string, method: string, specificData: Bytes): AuthAttempt | undefined {
    if (this.#server === undefined) throw new SshError("misuse", "expected the session identifier to be known");
    const { sessionId, hostKey } = this.#server;
    const proved = new Reader(specificData, "publickey request").boolean();
    const { algorithm, publicKey, ...more } = readPublickey(method === HOSTBOUND_METHOD, proved, specificData);
    // A client that signs another host key has its session with another server, which relays the signature to us.
    if (more.hostKey !== undefined && !equal(more.hostKey, hostKey)) {
      throw new SshError("protocol", `expected ${HOSTBOUND_METHOD} to contain our host key, got another key`);
    }
    const verifier = this.#options.algorithms.find(({ name }) => name === algorithm);
    if (verifier === undefined || !hasAllowedSize(verifier, publicKey)) return undefined;
    // As in OpenSSH, a key counts once: a server that requires two keys must not accept one of them twice.
    const plain = plainKey(this.#options.algorithms, algorithm, publicKey);
    if (this.#passedKeys.some((passed) => equal(passed, plain))) return undefined;
    const attempt = { method: "publickey", user, publicKey, algorithm, proved } as const;
    if (!proved) return attempt;
    // The signature covers the request up to itself, the last field.
    const { signature } = more;
    const signed = specificData.subarray(0, specificData.length - 4 - signature.length);
    const request = UserauthRequest.encode({ user, service: CONNECTION_SERVICE, method, specificData: signed });
    if (!verifies(verifier, publicKey, signedData(sessionId, request), signature)) return undefined;
    return verifier.readKeyUse === undefined ? attempt : { ...attempt, securityKey: verifier.readKeyUse(signature) };
  }

  #accept(attempt: AuthAttempt): void {
    this.#options.sink.send(UserauthSuccess.encode({}));
    this.#state = { at: "authenticated" };
    this.#events.push({ type: "authenticated", user: attempt.user, method: attempt.method });
  }

  #refuse(method: string): void {
    // A first request with "none" is how a client gets the list of methods (RFC 4252 section 5.2).
    const isQuery = method === "none" && this.#requests === 1;
    if (!isQuery) this.#countFailure();
    this.#fail(false);
  }

  #countFailure(): void {
    const { attempts = ServerLimits.authAttempts } = this.#options;
    if (++this.#failures >= attempts) throw new SshError("auth", `expected a valid login within ${attempts} attempts`);
  }

  #fail(partialSuccess: boolean): void {
    // RFC 4252 section 4: the method "none" MUST NOT be listed.
    const canContinue = this.#canContinue.filter((name) => name !== "none");
    this.#options.sink.send(UserauthFailure.encode({ canContinue, partialSuccess }));
  }
}
