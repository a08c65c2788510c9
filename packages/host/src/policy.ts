/** Who may log in, and what they may do then: the ready-made policy. @module */
import type { MaybePromise } from "@postern/auth";
import { checkOptions, type LoginAttempt } from "@postern/ssh";
import { ServerLimits, SshError } from "@postern/wire";
import { type AuthorizedKeys, authorizedKeys } from "./authorized-keys.ts";
import {
  decoyOf,
  expectPassword,
  type PasswordFunctions,
  type StoredPassword,
  storedPassword,
} from "./password-hash.ts";
import { checkPermissions, type Permissions, restrict } from "./permissions.ts";
import type { Address } from "./platform.ts";

/** An attempt to log in to a host. */
export type HostLoginAttempt = LoginAttempt & {
  /** where the client comes from; undefined on a pipe that does not know */
  readonly origin: Address | undefined;
};

/** A yes that is not enough: another method must follow (RFC 4252 section 5.1). */
export interface PartialDecision extends Permissions {
  /**
   * The methods of which one must follow. This asks for more; it forbids nothing. A client may begin with any of the host's `methods`,
   * so that a function which accepts the second method must look at `attempt.passed`, the methods that were accepted so on this
   * connection. Permissions beside it take away from what the last method grants, as the options of a key do for sshd.
   *
   * @example
   * // A key, and then a password; neither is enough alone.
   * const authorize: Authorize = (attempt) => {
   *   if (attempt.method === "publickey") return isKnown(attempt.publicKey) && { partial: ["password"] };
   *   return attempt.method === "password" && attempt.passed.includes("publickey") && isRight(attempt.password);
   * };
   * // And no password is even looked at before the key when the host offers `methods: ["publickey"]` alone.
   */
  readonly partial: readonly string[];
}

/** `true` gives the default permissions. Whatever is none of these refuses, with a `refusal` event that says why. */
export type HostDecision = boolean | Permissions | PartialDecision;

/**
 * Decides who may log in. Anything thrown refuses. `methods` are those it can say yes to. Work that takes long should end when
 * `attempt.signal` fires: the client is gone.
 */
export interface Authorize {
  (attempt: HostLoginAttempt): MaybePromise<HostDecision>;
  readonly methods?: readonly string[];
}

/** What the policy says of one user. */
export interface UserPolicy extends Permissions {
  /** the password, or its hash: see `hashPassword`. One that looks like a hash of another kind, as by a `$` or `{` at its start, has to be hashed. */
  readonly password?: string;
  /** the text of an authorized_keys file, a list of its lines, or what `authorizedKeys` made of it */
  readonly keys?: string | readonly string[] | AuthorizedKeys;
}

interface User {
  readonly password: StoredPassword | undefined;
  readonly keys: AuthorizedKeys | undefined;
  readonly permissions: Permissions;
}

const userOptions = ["password", "keys", "permitListen", "permitOpen"] as const satisfies readonly (keyof UserPolicy)[];
const prompt = { prompt: "Password: ", echo: false };

/** Makes the function `policy` of a platform. */
export function createPolicy(functions: PasswordFunctions): (users: Readonly<Record<string, UserPolicy>>) => Authorize {
  return (users) => makePolicy(users, functions);
}

function makePolicy(users: Readonly<Record<string, UserPolicy>>, functions: PasswordFunctions): Authorize {
  // A table of another kind, such as a Map, would count as an empty one.
  checkOptions("policy", users, Object.keys(users ?? {}));
  const table = new Map(Object.entries(users).map(([name, user]) => [name, readUser(name, user, functions)]));
  const all = [...table.values()];
  const costs = new Map<string, StoredPassword>();
  for (const { password } of all) if (password !== undefined) costs.set(password.cost, decoyOf(password));
  const methods = [
    ...(all.some(({ keys }) => keys !== undefined) ? ["publickey"] : []),
    ...(costs.size > 0 ? ["password", "keyboard-interactive"] : []),
  ];
  const turns = new Turns(2, ServerLimits.waitingPasswords);

  const passwordIsRight = async (user: User | undefined, given: string, signal: AbortSignal): Promise<boolean> => {
    expectPassword(given);
    const own = user?.password;
    let right = false;
    // Every cost that exists is paid every time: the time tells neither whether the user exists nor how the password is kept.
    for (const [cost, decoy] of costs) {
      const stored = own?.cost === cost ? own : decoy;
      if (await turns.take(() => stored.matches(given), signal)) right = true;
    }
    return right;
  };

  const authorize = async (attempt: HostLoginAttempt): Promise<HostDecision> => {
    const user = table.get(attempt.user);
    switch (attempt.method) {
      case "none":
        return false;
      case "publickey": {
        const granted = user?.keys?.permissions(attempt.publicKey, { host: attempt.origin?.host });
        return granted !== undefined && user !== undefined && restrict(user.permissions, granted);
      }
      case "password":
        return (
          (await passwordIsRight(user, attempt.password, attempt.signal)) && user !== undefined && user.permissions
        );
      case "keyboard-interactive": {
        const [given = ""] = await attempt.ask({ name: "", instruction: "", prompts: [prompt] });
        return (await passwordIsRight(user, given, attempt.signal)) && user !== undefined && user.permissions;
      }
    }
  };
  return Object.assign(authorize, { methods });
}

function readUser(name: string, given: UserPolicy, functions: PasswordFunctions): User {
  checkOptions(`the policy of "${name}"`, given, userOptions);
  const { password, keys: text, permitListen, permitOpen } = given;
  if (password === undefined && text === undefined) {
    throw new SshError("misuse", `expected a password or keys for "${name}", got neither`);
  }
  checkPermissions(given);
  const keys = readKeys(name, text);
  if (password === undefined && keys?.size === 0) {
    throw new SshError("misuse", `expected a password or keys for "${name}", got a list without a key to log in with`);
  }
  const stored = password === undefined ? undefined : storedPassword(`a password for "${name}"`, password, functions);
  return { password: stored, keys, permissions: { permitListen, permitOpen } };
}

function readKeys(name: string, given: UserPolicy["keys"]): AuthorizedKeys | undefined {
  if (given === undefined || isAuthorizedKeys(given)) return given;
  const keys = authorizedKeys(given);
  const [refused] = keys.refused;
  if (refused === undefined) return keys;
  // Given as text, nobody would look at what was refused.
  throw new SshError(
    "misuse",
    `expected authorized keys of "${name}", got a wrong line ${refused.line}: ${refused.reason}`,
  );
}

function isAuthorizedKeys(given: Exclude<UserPolicy["keys"], undefined>): given is AuthorizedKeys {
  return typeof (given as Partial<AuthorizedKeys> | null)?.permissions === "function";
}

/** Lets so many run at once, and so many wait: comparing a password takes memory and time, and guesses may come in crowds. */
class Turns {
  #free: number;
  readonly #room: number;
  readonly #waiting = new Set<() => void>();

  constructor(atOnce: number, room: number) {
    this.#free = atOnce;
    this.#room = room;
  }

  /** @throws SshError `limit` when too many wait, `aborted` when the signal fires before the work has begun */
  async take<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (signal.aborted) throw gone(signal);
    if (this.#free > 0) this.#free--;
    else await this.#turn(signal);
    try {
      return await work();
    } finally {
      const [next] = this.#waiting;
      if (next === undefined) this.#free++;
      else next();
    }
  }

  #turn(signal: AbortSignal): Promise<void> {
    if (this.#waiting.size >= this.#room) throw new SshError("limit", "too many passwords wait to be compared");
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#waiting.delete(enter);
        signal.removeEventListener("abort", leave);
      };
      const enter = (): void => {
        settle();
        resolve();
      };
      const leave = (): void => {
        settle();
        reject(gone(signal));
      };
      this.#waiting.add(enter);
      signal.addEventListener("abort", leave, { once: true });
    });
  }
}

function gone(signal: AbortSignal): SshError {
  return new SshError("aborted", "the client did not wait for the decision", { cause: signal.reason });
}
