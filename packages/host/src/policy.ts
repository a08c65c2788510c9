/** Who may log on, and what they may do then: the ready-made policy. @module */
import type { AuthDecision, MaybePromise } from "@postern/auth";
import { checkOptions, type LogonAttempt } from "@postern/ssh";
import { SshError } from "@postern/wire";
import { type AuthorizedKeys, authorizedKeys } from "./authorized-keys.ts";
import { decoyOf, type StoredPassword, storedPassword } from "./password-hash.ts";
import { both, checkPermissions, type Permissions, type Permit } from "./permissions.ts";
import type { Address } from "./platform.ts";

/** An attempt to log on to a host. */
export type HostLogonAttempt = LogonAttempt & {
  /** where the client comes from; undefined on a pipe that does not know */
  readonly origin: Address | undefined;
};

/** `true` gives the default permissions; `{ partial: [methods] }` asks for another method (RFC 4252 section 5.1). */
export type HostDecision = Exclude<AuthDecision, true> | true | Permissions;

/** Decides who may log on. Anything thrown refuses. `methods` are those it can say yes to. */
export interface Authorize {
  (attempt: HostLogonAttempt): MaybePromise<HostDecision>;
  readonly methods?: readonly string[];
}

/** What the policy says of one user. */
export interface UserPolicy extends Permissions {
  /** the password, or its hash: see `hashPassword` */
  readonly password?: string;
  /** the text of an authorized_keys file, or what `authorizedKeys` made of it */
  readonly keys?: string | AuthorizedKeys;
}

interface User {
  readonly password: StoredPassword | undefined;
  readonly keys: AuthorizedKeys | undefined;
  readonly permissions: Permissions;
}

const userOptions = ["password", "keys", "permitListen", "permitOpen"] as const satisfies readonly (keyof UserPolicy)[];
const prompt = { prompt: "Password: ", echo: false };

/**
 * A policy from a table of users. Passwords are taken by the methods `password` and `keyboard-interactive`; an unknown user takes
 * as long as a wrong password. A key may do what both its line and its user allow.
 *
 * @throws SshError `misuse` for an option that is not known, a user without a way to log on, a malformed hash, pattern or key file
 * @example
 * const authorize = policy({ test: { password: "secret", permitListen: ["localhost:*"] } });
 */
export function policy(users: Readonly<Record<string, UserPolicy>>): Authorize {
  const table = new Map(Object.entries(users).map(([name, user]) => [name, readUser(name, user)]));
  const all = [...table.values()];
  const costs = new Map<string, StoredPassword>();
  for (const { password } of all) if (password !== undefined) costs.set(password.cost, decoyOf(password));
  const methods = [
    ...(all.some(({ keys }) => keys !== undefined) ? ["publickey"] : []),
    ...(costs.size > 0 ? ["password", "keyboard-interactive"] : []),
  ];
  const turns = new Turns(2);

  const passwordIsRight = async (user: User | undefined, given: string): Promise<boolean> => {
    const own = user?.password;
    let right = false;
    // Every cost that exists is paid every time: the time tells neither whether the user exists nor how the password is kept.
    for (const [cost, decoy] of costs) {
      const stored = own?.cost === cost ? own : decoy;
      if (await turns.take(() => stored.matches(given))) right = true;
    }
    return right;
  };

  const authorize = async (attempt: HostLogonAttempt): Promise<HostDecision> => {
    const user = table.get(attempt.user);
    switch (attempt.method) {
      case "none":
        return false;
      case "publickey": {
        const granted = user?.keys?.permissions(attempt.publicKey, { host: attempt.origin?.host });
        return granted !== undefined && user !== undefined && combine(user.permissions, granted);
      }
      case "password":
        return (await passwordIsRight(user, attempt.password)) && user !== undefined && user.permissions;
      case "keyboard-interactive": {
        const [given = ""] = await attempt.ask({ name: "", instruction: "", prompts: [prompt] });
        return (await passwordIsRight(user, given)) && user !== undefined && user.permissions;
      }
    }
  };
  return Object.assign(authorize, { methods });
}

function readUser(name: string, given: UserPolicy): User {
  checkOptions(`the policy of "${name}"`, given, userOptions);
  const { password, keys: text, permitListen, permitOpen } = given;
  if (password === undefined && text === undefined) {
    throw new SshError("misuse", `expected a password or keys for "${name}", got neither`);
  }
  if (password === "") throw new SshError("misuse", `expected a password for "${name}", got an empty one`);
  checkPermissions(given);
  const keys = typeof text === "string" ? authorizedKeys(text) : text;
  const [refused] = keys?.refused ?? [];
  // Given as text, nobody would look at what was refused.
  if (typeof text === "string" && refused !== undefined) {
    throw new SshError(
      "misuse",
      `expected authorized keys of "${name}", got a wrong line ${refused.line}: ${refused.reason}`,
    );
  }
  const stored = password === undefined ? undefined : storedPassword(password);
  return { password: stored, keys, permissions: { permitListen, permitOpen } };
}

function combine(user: Permissions, key: Permissions): Permissions {
  const listen: Permit | undefined = both(user.permitListen, key.permitListen, "listen");
  return { permitListen: listen, permitOpen: both(user.permitOpen, key.permitOpen, "open") };
}

/** Lets so many run at once: comparing a password takes memory, and guesses may come in crowds. */
class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
