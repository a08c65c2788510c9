/** The ready-made policy: a table of users, their passwords, keys and permissions. @module */
import { abortable, checkOptions } from "@postern/ssh";
import { ServerLimits, SshError } from "@postern/wire";
import type { Authorize, HostDecision, HostLoginAttempt } from "./authorize.ts";
import { type AuthorizedKeys, authorizedKeys } from "./authorized-keys.ts";
import {
  decoyOf,
  expectPassword,
  type PasswordFunctions,
  type StoredPassword,
  storedPassword,
} from "./password-hash.ts";
import { checkPermissions, type Permissions, restrict } from "./permissions.ts";

/** How one user may log in, and the user's permissions. */
export interface UserPolicy extends Permissions {
  /**
   * The password, or its hash as `hashPassword` returns it. A password that looks like a hash of another kind (for
   * example, it starts with `$` or `{`) must be hashed.
   */
  readonly password?: string;
  /** The text of an authorized_keys file, a list of its lines, or a value returned by `authorizedKeys`. */
  readonly keys?: string | readonly string[] | AuthorizedKeys;
}

interface User {
  readonly password: StoredPassword | undefined;
  readonly keys: AuthorizedKeys | undefined;
  readonly permissions: Permissions;
}

const userOptions = ["password", "keys", "permitListen", "permitOpen"] as const satisfies readonly (keyof UserPolicy)[];
const prompt = { prompt: "Password: ", echo: false };

/** Creates the function `policy` of a platform. */
export function createPolicy(functions: PasswordFunctions): (users: Readonly<Record<string, UserPolicy>>) => Authorize {
  return (users) => buildPolicy(users, functions);
}

function buildPolicy(users: Readonly<Record<string, UserPolicy>>, functions: PasswordFunctions): Authorize {
  // Rejects a Map, which has no own keys and would count as an empty table.
  checkOptions("policy", users, Object.keys(users ?? {}));
  const table = new Map(Object.entries(users).map(([name, user]) => [name, readUser(name, user, functions)]));
  const all = [...table.values()];
  const costs = new Map<string, StoredPassword>();
  for (const { password } of all) if (password !== undefined) costs.set(password.cost, decoyOf(password));
  const methods = [
    ...(all.some(({ keys }) => keys !== undefined) ? ["publickey"] : []),
    ...(costs.size > 0 ? ["password", "keyboard-interactive"] : []),
  ];
  // Comparing a password takes memory and time, and guesses may come in crowds.
  const comparisons = new Semaphore(2, ServerLimits.waitingPasswords);

  const comparePassword = async (user: User | undefined, given: string, signal: AbortSignal): Promise<HostDecision> => {
    expectPassword(given);
    const own = user?.password;
    let right = false;
    // Every attempt pays every cost in the table, so timing reveals neither the user nor how the password is stored.
    for (const [cost, decoy] of costs) {
      const stored = own?.cost === cost ? own : decoy;
      if (await comparisons.run(() => stored.matches(given), signal)) right = true;
    }
    return right && user ? user.permissions : false;
  };

  const authorize = async (attempt: HostLoginAttempt): Promise<HostDecision> => {
    const user = table.get(attempt.user);
    switch (attempt.method) {
      case "none":
        return false;
      case "publickey": {
        const granted = user?.keys?.permissions(attempt.publicKey, { ...attempt, host: attempt.origin?.host });
        if (granted === undefined || user === undefined) return false;
        const permissions = restrict(user.permissions, granted);
        return granted.noTouchRequired === true ? { ...permissions, noTouchRequired: true } : permissions;
      }
      case "password":
        return await comparePassword(user, attempt.password, attempt.signal);
      case "keyboard-interactive": {
        const [given = ""] = await attempt.ask({ name: "", instruction: "", prompts: [prompt] });
        return await comparePassword(user, given, attempt.signal);
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
  try {
    checkPermissions(given);
  } catch (error) {
    throw new SshError("misuse", `the policy of "${name}": ${(error as Error).message}`, { cause: error });
  }
  const keys = readKeys(name, text);
  if (password === undefined && keys?.size === 0) {
    throw new SshError("misuse", `expected a password or keys for "${name}", got a list without a usable key`);
  }
  const stored = password === undefined ? undefined : storedPassword(`a password for "${name}"`, password, functions);
  return { password: stored, keys, permissions: { permitListen, permitOpen } };
}

function readKeys(name: string, given: UserPolicy["keys"]): AuthorizedKeys | undefined {
  if (given === undefined || isAuthorizedKeys(given)) return given;
  const keys = authorizedKeys(given);
  const [refused] = keys.refused;
  if (refused === undefined) return keys;
  // A caller who passes text never sees `refused`.
  throw new SshError(
    "misuse",
    `expected valid authorized keys of "${name}", got an error in line ${refused.line}: ${refused.reason}`,
  );
}

function isAuthorizedKeys(given: Exclude<UserPolicy["keys"], undefined>): given is AuthorizedKeys {
  return typeof (given as Partial<AuthorizedKeys> | null)?.permissions === "function";
}

/** Runs a limited number of tasks at once, and queues a limited number of others. */
class Semaphore {
  #free: number;
  readonly #maxWaiting: number;
  readonly #waiting = new Set<() => void>();

  constructor(maxRunning: number, maxWaiting: number) {
    this.#free = maxRunning;
    this.#maxWaiting = maxWaiting;
  }

  /** @throws SshError `limit` if too many tasks are queued, `aborted` if the signal fires before the task starts */
  async run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (signal.aborted) throw aborted(signal);
    if (this.#free > 0) this.#free--;
    else await this.#acquire(signal);
    try {
      return await work();
    } finally {
      const [next] = this.#waiting;
      if (next === undefined) this.#free++;
      else next();
    }
  }

  #acquire(signal: AbortSignal): Promise<void> {
    if (this.#waiting.size >= this.#maxWaiting) {
      throw new SshError("limit", `expected at most ${this.#maxWaiting} passwords to be compared at once, got more`);
    }
    return new Promise((resolve, reject) => {
      const caller = abortable(signal, { resolve, reject }, () => {
        this.#waiting.delete(start);
        reject(aborted(signal));
      });
      const start = (): void => {
        this.#waiting.delete(start);
        caller.resolve();
      };
      this.#waiting.add(start);
    });
  }
}

function aborted(signal: AbortSignal): SshError {
  return new SshError("aborted", "the client disconnected before the decision", { cause: signal.reason });
}
