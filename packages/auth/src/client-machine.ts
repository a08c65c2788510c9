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

/** Options of an {@link AuthClientMachine}. */
export interface AuthClientOptions {
  readonly sink: PayloadSink;
  /** tried in this order */
  readonly methods: readonly AuthMethod[];
}

/** An event of an {@link AuthClientMachine}. */
export type AuthClientEvent =
  /** call `dialog.next(answer)`, then `proceed` with its result or `giveUp` with its error */
  | { readonly type: "step"; readonly dialog: AuthDialog; readonly answer: Bytes | undefined }
  /** RFC 4252 section 5.4: control characters are escaped, except line ends and tabs */
  | { readonly type: "banner"; readonly message: string }
  | { readonly type: "authenticated"; readonly user: string; readonly method: string };

type State =
  | { readonly at: "fresh" }
  /** SERVICE_REQUEST is sent; the first method waits for the answer */
  | { readonly at: "awaitService" }
  /** the program prepares the next payload */
  | { readonly at: "step"; readonly method: AuthMethod; readonly dialog: AuthDialog }
  /** a request is sent, and its answer is due */
  | { readonly at: "awaitAnswer"; readonly method: AuthMethod; readonly dialog: AuthDialog }
  | { readonly at: "authenticated" };

/** Tries the methods in order until the server accepts the login. */
export class AuthClientMachine {
  readonly #options: AuthClientOptions;
  readonly #events: AuthClientEvent[] = [];
  #state: State = { at: "fresh" };
  #context: AuthContext | undefined;
  #serviceAccepted = false;
  /** methods that the server has not accepted yet */
  #unused: readonly AuthMethod[];
  /** those of them that were not tried since the last partial success */
  #candidates: readonly AuthMethod[];
  /** the methods that can continue, from the last failure; `undefined` before it */
  #canContinue: readonly string[] | undefined;
  readonly #tried: string[] = [];
  #refusals = 0;
  /** the first error of a method */
  #failure: unknown;
  #banners = 0;
  #bannerBytes = 0;

  constructor(options: AuthClientOptions) {
    this.#options = options;
    this.#unused = options.methods;
    this.#candidates = options.methods;
  }

  /** `false` while the program prepares the next payload. */
  get wantsInput(): boolean {
    return this.#state.at !== "step";
  }

  /** How many requests the server has refused. */
  get refusals(): number {
    return this.#refusals;
  }

  /** Whether the answer to a request is due. */
  get awaitsAnswer(): boolean {
    return this.#state.at === "awaitAnswer";
  }

  /** Whether the answer that is due ends the login: it is SUCCESS, or no method is left. */
  get lastRequestIsOut(): boolean {
    return this.#state.at === "awaitAnswer" && this.#state.method.oneRequest === true && this.#unused.length === 1;
  }

  /**
   * Sends SERVICE_REQUEST and begins the first method: at once if `oneFlight` is set and the method does not need the
   * server's algorithms, otherwise after SERVICE_ACCEPT.
   */
  start(context: AuthContext, oneFlight: boolean): void {
    this.#context = context;
    this.#options.sink.send(ServiceRequest.encode({ service: USERAUTH_SERVICE }));
    const [first] = this.#candidates;
    if (first !== undefined && (!oneFlight || first.needsServerAlgorithms)) this.#state = { at: "awaitService" };
    else this.#beginNext();
  }

  /** Sets the server's signature algorithms, from EXT_INFO. The server may send it twice (RFC 8308 section 2.4). */
  setServerAlgorithms(names: readonly string[]): void {
    if (this.#context !== undefined) this.#context = { ...this.#context, serverAlgorithms: names };
  }

  next(): AuthClientEvent | undefined {
    return this.#events.shift();
  }

  /** Handles a message numbered 6 or 50 to 79 (view). */
  receive(payload: Bytes): void {
    const number = payload[0] ?? 0;
    const state = this.#state;
    if (number === ServiceAccept.number) return this.#acceptService(payload);
    if (number === UserauthBanner.number && state.at !== "fresh" && state.at !== "authenticated") {
      return this.#banner(payload);
    }
    if (state.at !== "awaitAnswer") {
      throw new SshError(
        "protocol",
        `expected no authentication message in the state ${state.at}, got message ${number}`,
      );
    }
    // RFC 4252 section 4. An early banner is accepted, because it changes nothing.
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

  /** Continues after the event `step`, with the next payload, or with `undefined` if the method gives up. */
  proceed(payload: Bytes | undefined): void {
    const state = this.#state;
    if (state.at !== "step") throw new SshError("misuse", `expected the state step, got ${state.at}`);
    if (payload === undefined) return this.giveUp("gave up");
    this.#options.sink.send(payload);
    this.#state = { at: "awaitAnswer", method: state.method, dialog: state.dialog };
  }

  /** Gives up the current method, and begins the next one. `reason` becomes part of the error if no method succeeds. */
  giveUp(reason: string, cause?: unknown): void {
    const state = this.#state;
    if (state.at !== "step") throw new SshError("misuse", `expected the state step, got ${state.at}`);
    this.#tried.push(`${state.method.name} (${reason})`);
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
      // RFC 4252 section 5.1: more methods are needed, and a method refused before may be accepted now.
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
      const accepted = allowed === undefined ? "" : `; the server accepts ${quote(allowed.join(",") || "no method")}`;
      // If the server has refused no request, our own source of credentials failed, such as an agent. A retry may help.
      const refused = this.#refusals > 0 || (this.#failure instanceof SshError && this.#failure.code === "auth");
      const code = this.#failure === undefined || refused ? "auth" : "credentials";
      const options = this.#failure === undefined ? undefined : { cause: this.#failure };
      throw new SshError(code, `expected the server to accept a login method: ${tried}${accepted}`, options);
    }
    this.#candidates = this.#candidates.filter((one) => one !== method);
    this.#step(method, method.begin(context), undefined);
  }

  #step(method: AuthMethod, dialog: AuthDialog, answer: Bytes | undefined): void {
    this.#state = { at: "step", method, dialog };
    this.#events.push({ type: "step", dialog, answer });
  }
}
