/** The decisions about logins, as a worker gets them from the primary. @module */
import { type LoginAttempt, onAbort } from "@postern/ssh";
import { type Bytes, SshError } from "@postern/wire";
import type { LoginDecider } from "../login-decider.ts";
import type { ClientGrants } from "../permissions.ts";
import type { Link } from "./link.ts";
import type { PassedAttempt, PassedDecision, Permission, PrimaryFunctions, WorkerFunctions } from "./messages.ts";

type Place = Parameters<PrimaryFunctions["may"]>[2];

/** Calls the functions of the primary. */
export type PrimaryLink = Link<PrimaryFunctions, WorkerFunctions>;

/** Questions about permissions that one client has open at a time, so that the primary serves others in between. */
const maxQuestions = 8;

/** Passes the login attempts of one client to the primary. */
export class RemoteDecider implements LoginDecider {
  authorityKeys: LoginDecider["authorityKeys"] = [];
  accepted: LoginDecider["accepted"];
  /** The primary has them. */
  readonly keys: LoginDecider["keys"] = [];
  readonly #id: number;
  readonly #link: PrimaryLink;
  #attempt: LoginAttempt | undefined;
  #questions = 0;
  /** Questions that wait for others. Each has a share of the channels, or is the only one of its kind. */
  readonly #waiting: (() => void)[] = [];

  constructor(id: number, link: PrimaryLink) {
    this.#id = id;
    this.#link = link;
  }

  async authenticate(attempt: LoginAttempt): Promise<PassedDecision["decision"]> {
    const { signal } = attempt;
    this.#attempt = attempt;
    const stopListening = onAbort(signal, () => this.#link.notify("abandoned", [this.#id]));
    try {
      const { decision, accepted } = await this.#link.call("authenticate", this.#id, passedAttempt(attempt));
      if (!signal.aborted) this.accepted = accepted && { method: accepted.method, grants: this.#grants(accepted) };
      return decision;
    } catch {
      return false;
    } finally {
      stopListening();
    }
  }

  /** Asks the client whose attempt is being decided. */
  async ask(request: Parameters<WorkerFunctions["ask"]>[1]): Promise<readonly string[]> {
    if (this.#attempt?.method !== "keyboard-interactive") {
      throw new SshError("misuse", "expected ask to be called during its attempt, and once at a time");
    }
    return await this.#attempt.ask(request);
  }

  /** The primary judges offences. */
  offence(): ReturnType<LoginDecider["offence"]> {
    return "noAuth";
  }

  #grants({ gatewayPorts, lowestPort }: NonNullable<PassedDecision["accepted"]>): ClientGrants {
    const may = (permission: Permission, place: Place): Promise<boolean> => this.#may(permission, place);
    return {
      gatewayPorts,
      lowestPort,
      mayListen: (...place) => may("mayListen", place),
      mayOpen: (...place) => may("mayOpen", place),
      mayListenPath: (...place) => may("mayListenPath", place),
      mayOpenPath: (...place) => may("mayOpenPath", place),
    };
  }

  async #may(permission: Permission, place: Place): Promise<boolean> {
    if (this.#questions < maxQuestions) this.#questions++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await this.#link.call("may", this.#id, permission, place);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#questions--;
      else next();
    }
  }
}

/** Returns the parts of an attempt that can be copied. */
function passedAttempt(attempt: LoginAttempt): PassedAttempt {
  const { user, passed } = attempt;
  switch (attempt.method) {
    case "none":
      return { method: attempt.method, user, passed };
    case "password":
      return { method: attempt.method, user, passed, password: attempt.password };
    case "publickey": {
      const { method, publicKey, algorithm, proved, securityKey } = attempt;
      return { method, user, passed, publicKey: copyOf(publicKey), algorithm, proved, securityKey };
    }
    case "keyboard-interactive":
      return { method: attempt.method, user, passed, submethods: attempt.submethods };
    default:
      return attempt satisfies never;
  }
}

/** A view would carry the whole buffer behind it. */
function copyOf(bytes: Bytes): Bytes {
  return bytes.slice();
}
