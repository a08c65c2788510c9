/** The client's side of user authentication, RFC 4252. @module */
import {
  type Bytes,
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
import * as Limits from "@postern/wire/limits";
import {
  type AuthContext,
  type AuthDialog,
  type AuthEntry,
  type AuthMethod,
  type AuthStep,
  USERAUTH_SERVICE,
} from "./dialog.ts";

/** Options of an {@link AuthClientMachine}. */
export interface AuthClientOptions {
  readonly sink: PayloadSink;
  /** tried in this order */
  readonly methods: readonly AuthEntry[];
}

/** Outcomes in the error of a failed login, and characters of each. */
const maxNotes = 12;
const maxOutcome = 400;

/** An event of an {@link AuthClientMachine}. */
export type AuthClientEvent =
  /** call `dialog.next(answer)`, then `proceed` with its result or `giveUp` with its error */
  | { readonly type: "step"; readonly dialog: AuthDialog; readonly answer: Bytes | undefined }
  /** RFC 4252 section 5.4: control characters are escaped, except line ends and tabs */
  | { readonly type: "banner"; readonly message: string }
  | { readonly type: "authenticated"; readonly user: string; readonly method: string };

/** The parts of a context that do not depend on the moment. */
type Beginning = Omit<AuthContext, "refusalsLeft">;

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
  readonly #sink: PayloadSink;
  readonly #events: AuthClientEvent[] = [];
  #state: State = { at: "fresh" };
  #context: Beginning | undefined;
  #serviceAccepted = false;
  /** methods that the server has not accepted yet */
  #unused: readonly AuthMethod[];
  /** those of them that were not tried since the last partial success */
  #candidates: readonly AuthMethod[];
  /** the methods that can continue, from the last failure; `undefined` before it */
  #canContinue: readonly string[] | undefined;
  /** methods with their outcome; the first ones of many */
  readonly #tried: string[] = [];
  #attempts = 0;
  /** messages of methods */
  #rounds = 0;
  #refusals = 0;
  /** the first error of a method */
  #failure: unknown;
  #banners = 0;
  #bannerBytes = 0;

  constructor(options: AuthClientOptions) {
    this.#sink = options.sink;
    this.#unused = options.methods.map(methodOf);
    this.#candidates = this.#unused;
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
  start(context: Beginning, oneFlight: boolean): void {
    this.#context = context;
    this.#sink.send(ServiceRequest.encode({ service: USERAUTH_SERVICE }));
    const [first] = this.#candidates;
    if (first !== undefined && (!oneFlight || first.needsServerAlgorithms)) this.#state = { at: "awaitService" };
    else this.#beginNext();
  }

  /** Sets what EXT_INFO says. The server may send it twice (RFC 8308 section 2.4). */
  learn(news: Partial<Pick<AuthContext, "serverAlgorithms" | "hostbound">>): void {
    if (this.#context !== undefined) this.#context = { ...this.#context, ...news };
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
        // A program that answers prompts with a stored value would never stop.
        if (++this.#rounds > Limits.authRounds)
          throw new SshError("limit", `expected at most ${Limits.authRounds} prompts before the login is decided`);
        this.#step(state.method, state.dialog, payload);
    }
  }

  /** Continues after the event `step`, with its result. */
  proceed(step: AuthStep): void {
    const state = this.#state;
    if (state.at !== "step") throw new SshError("misuse", `expected the state step, got ${state.at}`);
    if (step === undefined) return this.giveUp("gave up");
    if (!(step instanceof Uint8Array)) return this.#replace(state.method, [step].flat().map(methodOf));
    this.#sink.send(step);
    this.#state = { at: "awaitAnswer", method: state.method, dialog: state.dialog };
  }

  /** Gives up the current method, and begins the next one. `reason` becomes part of the error if no method succeeds. */
  giveUp(reason: string, cause?: unknown): void {
    const state = this.#state;
    if (state.at !== "step") throw new SshError("misuse", `expected the state step, got ${state.at}`);
    this.#note(state.method, reason);
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
    this.#note(method, partialSuccess ? "accepted, not enough" : "refused");
    if (partialSuccess) {
      // RFC 4252 section 5.1: more methods are needed, and a method refused before may be accepted now. It comes last,
      // because the server counts refusals.
      const untried = this.#candidates;
      this.#unused = this.#unused.filter((one) => one !== method);
      this.#candidates = [...untried, ...this.#unused.filter((one) => !untried.includes(one))];
    }
    this.#beginNext();
  }

  #replace(method: AuthMethod, methods: readonly AuthMethod[]): void {
    this.#unused = this.#unused.flatMap((one) => (one === method ? methods : [one]));
    this.#candidates = [...methods, ...this.#candidates];
    this.#beginNext();
  }

  #note({ name, label = name }: AuthMethod, outcome: string): void {
    if (++this.#attempts <= maxNotes) this.#tried.push(`${label} (${outcome.slice(0, maxOutcome)})`);
  }

  #beginNext(): void {
    const allowed = this.#canContinue;
    const method = this.#candidates.find(({ name, unlisted }) => unlisted || (allowed?.includes(name) ?? true));
    const context = this.#context;
    if (method === undefined || context === undefined) {
      const more = this.#attempts > maxNotes ? ` and ${this.#attempts - maxNotes} more` : "";
      const tried = this.#attempts === 0 ? "none was tried" : `tried ${this.#tried.join(", ")}${more}`;
      const accepted = allowed === undefined ? "" : `; the server accepts ${quote(allowed.join(",") || "no method")}`;
      // If the server has refused no request, our own source of credentials failed, such as an agent. A retry may help.
      const refused = this.#refusals > 0 || (this.#failure instanceof SshError && this.#failure.code === "auth");
      const code = this.#failure === undefined || refused ? "auth" : "credentials";
      const options = this.#failure === undefined ? undefined : { cause: this.#failure };
      throw new SshError(code, `expected the server to accept a login method: ${tried}${accepted}`, options);
    }
    this.#candidates = this.#candidates.filter((one) => one !== method);
    const refusalsLeft = 6 - Math.max(1, this.#candidates.length) - this.#refusals;
    this.#step(method, method.begin({ ...context, refusalsLeft }), undefined);
  }

  #step(method: AuthMethod, dialog: AuthDialog, answer: Bytes | undefined): void {
    this.#state = { at: "step", method, dialog };
    this.#events.push({ type: "step", dialog, answer });
  }
}

function methodOf(entry: AuthEntry): AuthMethod {
  if (typeof entry !== "function") return entry;
  return {
    name: "function",
    unlisted: true,
    needsServerAlgorithms: true,
    begin: (context) => ({ next: () => entry(context) }),
  };
}
