/** The client's side of user authentication, RFC 4252. @module */
import {
  type Bytes,
  Limits,
  type PayloadSink,
  quote,
  ServiceAccept,
  ServiceRequest,
  SshError,
  sanitizeText,
  UserauthBanner,
  UserauthFailure,
  UserauthSuccess,
} from "@postern/wire";
import { type AuthContext, type AuthDialog, type AuthMethod, USERAUTH_SERVICE } from "./dialog.ts";

/** What a {@link AuthClientMachine} is made of. */
export interface AuthClientOptions {
  readonly sink: PayloadSink;
  /** tried in this order */
  readonly methods: readonly AuthMethod[];
}

/** What the client's authentication machine has to tell. */
export type AuthClientEvent =
  /** call `dialog.next(answer)` and give what it gives to `proceed`, or its error to `giveUp` */
  | { readonly type: "step"; readonly dialog: AuthDialog; readonly answer: Bytes | undefined }
  /** RFC 4252 section 5.4: control characters are escaped, except line ends and tabs */
  | { readonly type: "banner"; readonly message: string }
  | { readonly type: "authenticated"; readonly user: string; readonly method: string };

type State =
  | { readonly at: "fresh" }
  /** SERVICE_REQUEST is out; the first method waits for the answer */
  | { readonly at: "awaitService" }
  /** the program works on the next payload */
  | { readonly at: "step"; readonly method: AuthMethod; readonly dialog: AuthDialog }
  /** a request is with the server */
  | { readonly at: "awaitAnswer"; readonly method: AuthMethod; readonly dialog: AuthDialog }
  | { readonly at: "authenticated" };

/** Tries the methods in order until the server is content. */
export class AuthClientMachine {
  readonly #options: AuthClientOptions;
  readonly #events: AuthClientEvent[] = [];
  #state: State = { at: "fresh" };
  #context: AuthContext | undefined;
  #serviceAccepted = false;
  /** methods that have not succeeded yet, and those of them not refused since the last success */
  #unused: readonly AuthMethod[];
  #candidates: readonly AuthMethod[];
  /** what the server said it would take; undefined before its first answer */
  #canContinue: readonly string[] | undefined;
  readonly #tried: string[] = [];
  #refusals = 0;
  /** why a method of ours could not go on, the last one */
  #failure: unknown;
  #banners = 0;
  #bannerBytes = 0;

  constructor(options: AuthClientOptions) {
    this.#options = options;
    this.#unused = options.methods;
    this.#candidates = options.methods;
  }

  /** False while the program works on a step. */
  get wantsInput(): boolean {
    return this.#state.at !== "step";
  }

  /** How many requests the server refused so far. */
  get refusals(): number {
    return this.#refusals;
  }

  /** Whether a request is with the server. */
  get awaitsAnswer(): boolean {
    return this.#state.at === "awaitAnswer";
  }

  /** Whether the request that is with the server decides it all: its answer is SUCCESS, or the end of the login. */
  get lastRequestIsOut(): boolean {
    return this.#state.at === "awaitAnswer" && this.#state.method.oneRequest === true && this.#unused.length === 1;
  }

  /**
   * Sends SERVICE_REQUEST and begins the first method: in the same flight if the server takes that and the method needs nothing from it, otherwise
   * once SERVICE_ACCEPT is here.
   */
  start(context: AuthContext, oneFlight: boolean): void {
    this.#context = context;
    this.#options.sink.send(ServiceRequest.encode({ service: USERAUTH_SERVICE }));
    const [first] = this.#candidates;
    if (first !== undefined && (!oneFlight || first.needsServerAlgorithms)) this.#state = { at: "awaitService" };
    else this.#beginNext();
  }

  /** The server's signature algorithms, from EXT_INFO; it may send them twice (RFC 8308 section 2.4). */
  setServerAlgorithms(names: readonly string[]): void {
    if (this.#context !== undefined) this.#context = { ...this.#context, serverAlgorithms: names };
  }

  next(): AuthClientEvent | undefined {
    return this.#events.shift();
  }

  /** A message numbered 6 or 50 to 79 (view). */
  receive(payload: Bytes): void {
    const number = payload[0] ?? 0;
    const state = this.#state;
    if (number === ServiceAccept.number) return this.#acceptService(payload);
    if (number === UserauthBanner.number && state.at !== "fresh" && state.at !== "authenticated") {
      return this.#banner(payload);
    }
    if (state.at !== "awaitAnswer") {
      throw new SshError("protocol", `expected no authentication message while at ${state.at}, got message ${number}`);
    }
    // RFC 4252 section 4. A banner decides nothing, so an early one is let through.
    if (!this.#serviceAccepted) throw new SshError("protocol", `expected SERVICE_ACCEPT before message ${number}`);
    switch (number) {
      case UserauthSuccess.number:
        UserauthSuccess.decode(payload);
        this.#state = { at: "authenticated" };
        this.#events.push({ type: "authenticated", user: this.#context?.user ?? "", method: state.method.name });
        return;
      case UserauthFailure.number:
        return this.#failed(state.method, payload);
      default:
        if (number < 60)
          throw new SshError("protocol", `expected an answer to USERAUTH_REQUEST, got message ${number}`);
        this.#step(state.method, state.dialog, payload);
    }
  }

  /** What a step gave: the next payload, or undefined when the method gives up. */
  proceed(payload: Bytes | undefined): void {
    const state = this.#state;
    if (state.at !== "step") throw new SshError("misuse", `expected a step to be due, got state ${state.at}`);
    if (payload === undefined) return this.giveUp("gave up");
    this.#options.sink.send(payload);
    this.#state = { at: "awaitAnswer", method: state.method, dialog: state.dialog };
  }

  /** The method at work cannot go on; the next one is tried. `cause` is the error, when there was one. */
  giveUp(why: string, cause?: unknown): void {
    const state = this.#state;
    if (state.at !== "step") throw new SshError("misuse", `expected a step to be due, got state ${state.at}`);
    this.#tried.push(`${state.method.name} (${why})`);
    this.#failure ??= cause;
    this.#beginNext();
  }

  #acceptService(payload: Bytes): void {
    const { service } = ServiceAccept.decode(payload);
    if (this.#serviceAccepted || this.#state.at === "fresh" || service !== USERAUTH_SERVICE) {
      throw new SshError(
        "protocol",
        `expected one SERVICE_ACCEPT of ${USERAUTH_SERVICE}, got another of ${quote(service)}`,
      );
    }
    this.#serviceAccepted = true;
    if (this.#state.at === "awaitService") this.#beginNext();
  }

  #banner(payload: Bytes): void {
    const { message } = UserauthBanner.decode(payload);
    this.#bannerBytes += message.length;
    if (++this.#banners > Limits.banners || this.#bannerBytes > Limits.bannerBytes) {
      throw new SshError("limit", `expected at most ${Limits.banners} banners of ${Limits.bannerBytes} bytes in all`);
    }
    this.#events.push({ type: "banner", message: sanitizeText(message, true) });
  }

  #failed(method: AuthMethod, payload: Bytes): void {
    const { canContinue, partialSuccess } = UserauthFailure.decode(payload);
    this.#canContinue = canContinue;
    if (!partialSuccess) this.#refusals++;
    this.#tried.push(partialSuccess ? `${method.name} (accepted, not enough)` : `${method.name} (refused)`);
    if (partialSuccess) {
      // RFC 4252 section 5.1: more is needed. What was refused before may be asked for now.
      this.#unused = this.#unused.filter((one) => one !== method);
      this.#candidates = this.#unused;
    }
    this.#beginNext();
  }

  #beginNext(): void {
    const allowed = this.#canContinue;
    const method = this.#candidates.find(({ name }) => allowed?.includes(name) ?? true);
    const context = this.#context;
    if (method === undefined || context === undefined) {
      const tried = this.#tried.length === 0 ? "none was tried" : `tried ${this.#tried.join(", ")}`;
      const takes = allowed === undefined ? "" : `; the host takes ${quote(allowed.join(",") || "no method")}`;
      // When the host has refused nothing, it is a vault or an agent of ours that failed, and that may pass.
      const refused = this.#refusals > 0 || (this.#failure instanceof SshError && this.#failure.code === "auth");
      const code = this.#failure === undefined || refused ? "auth" : "credentials";
      const options = this.#failure === undefined ? undefined : { cause: this.#failure };
      throw new SshError(code, `expected the host to accept a login method: ${tried}${takes}`, options);
    }
    this.#candidates = this.#candidates.filter((one) => one !== method);
    this.#step(method, method.begin(context), undefined);
  }

  #step(method: AuthMethod, dialog: AuthDialog, answer: Bytes | undefined): void {
    this.#state = { at: "step", method, dialog };
    this.#events.push({ type: "step", dialog, answer });
  }
}
