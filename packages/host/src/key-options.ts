/** The options before a key in an authorized_keys file: sshd(8), AUTHORIZED_KEYS FILE FORMAT. @module */
import { quote, SshError } from "@postern/wire";
import { AddressList } from "./ip.ts";
import { parsePermit } from "./permissions.ts";

/** The parsed options of one key. */
export interface KeyOptions {
  readonly portForwarding: boolean;
  /** The patterns in the file. `undefined` without such an option: everything is permitted. */
  readonly permitListen: readonly string[] | undefined;
  readonly permitOpen: readonly string[] | undefined;
  readonly from: AddressList | undefined;
  /** Milliseconds since 1970. */
  readonly expires: number | undefined;
  /** Whether the key is a CA, which may log in only through its certificates. */
  readonly certAuthority: boolean;
  /** One of them must be in the certificate. `undefined`: the name of the user must be. */
  readonly principals: readonly string[] | undefined;
  /** For security keys: a signature is accepted without a touch; and only if the key verified its user. */
  readonly noTouchRequired: boolean;
  readonly verifyRequired: boolean;
}

/** Flags without effect, because this server never offers what they allow or forbid. */
const ignoredFlags = ["agent-forwarding", "x11-forwarding", "pty", "user-rc"];
/** Options with a value and without effect, because this server never runs commands. */
const ignoredOptions = ["command", "environment", "tunnel"];

/**
 * Reads the options at the start of a line. Returns them and the rest of the line.
 *
 * @throws SshError `key` that names the option that is unknown, malformed or repeated
 */
export function readKeyOptions(line: string): { readonly options: KeyOptions; readonly rest: string } {
  let portForwarding = true;
  const permits: Record<"permitlisten" | "permitopen", string[]> = { permitlisten: [], permitopen: [] };
  let from: AddressList | undefined;
  let expires: number | undefined;
  let certAuthority = false;
  let principals: readonly string[] | undefined;
  let [noTouchRequired, verifyRequired] = [false, false];
  const scanner = new Scanner(line);
  do {
    const name = scanner.name();
    switch (name) {
      case "restrict":
      case "no-port-forwarding":
        portForwarding = false;
        break;
      case "port-forwarding":
        portForwarding = true;
        break;
      case "permitlisten":
      case "permitopen": {
        const value = scanner.value(name);
        // In a list of permissions it would be the pattern of a UNIX socket, which sshd(8) does not have here.
        if (value.startsWith("/"))
          throw new SshError("key", `expected ${name}="…" with a port, got ${quote(value, 40)}`);
        asKeyError(() => parsePermit(value, name === "permitlisten"));
        permits[name].push(value);
        break;
      }
      case "from":
        if (from !== undefined) throw new SshError("key", 'expected one option "from", got two');
        from = new AddressList(scanner.value(name));
        break;
      case "expiry-time":
        // As in sshd, the earliest time applies.
        expires = Math.min(expires ?? Number.POSITIVE_INFINITY, parseTime(scanner.value(name)));
        break;
      case "cert-authority":
        certAuthority = true;
        break;
      case "principals":
        if (principals !== undefined) throw new SshError("key", 'expected one option "principals", got two');
        principals = parsePrincipals(scanner.value(name));
        break;
      case "no-touch-required":
      case "touch-required":
        noTouchRequired = name === "no-touch-required";
        break;
      case "verify-required":
      case "no-verify-required":
        verifyRequired = name === "verify-required";
        break;
      default:
        if (ignoredOptions.includes(name)) scanner.value(name);
        else if (!ignoredFlags.includes(name.replace(/^no-/, ""))) {
          throw new SshError("key", `expected a supported option, got ${quote(name, 40)}`);
        }
    }
  } while (scanner.more());
  const [permitListen, permitOpen] = [permits.permitlisten, permits.permitopen].map((list) =>
    list.length === 0 ? undefined : list,
  );
  if (principals !== undefined && !certAuthority) {
    throw new SshError("key", 'expected the option "cert-authority" with "principals", got only the second');
  }
  const options = {
    ...{ portForwarding, permitListen, permitOpen, from, expires },
    ...{ certAuthority, principals, noTouchRequired, verifyRequired },
  };
  return { options, rest: scanner.rest() };
}

function parsePrincipals(value: string): readonly string[] {
  const names = value.split(",");
  if (names.includes("")) throw new SshError("key", 'expected principals="…" with names, got an empty one');
  return names;
}

/** Parses `YYYYMMDD[HHMM[SS]]` in local time, or in UTC if `Z` follows. @throws SshError `key` for anything else */
export function parseTime(text: string): number {
  const [, digits = "", zone = ""] = /^(\d{8}|\d{12}|\d{14})(|Z|UTC)$/i.exec(text) ?? [];
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = [
    digits.slice(0, 4),
    digits.slice(4, 6),
    digits.slice(6, 8),
    digits.slice(8, 10),
    digits.slice(10, 12),
    digits.slice(12, 14),
  ].map(Number);
  const valid = month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour <= 23 && minute <= 59 && second <= 60;
  if (digits === "" || !valid || year < 1970) {
    throw new SshError("key", `expected a time as YYYYMMDD[HHMM[SS]][Z], got ${quote(text, 40)}`);
  }
  const parts = [year, month - 1, day, hour, minute, second] as const;
  return zone === "" ? new Date(...parts).getTime() : Date.UTC(...parts);
}

function asKeyError(check: () => unknown): void {
  try {
    check();
  } catch (cause) {
    throw new SshError("key", cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Reads the name of the next option. Returns it in lower case. */
  name(): string {
    const [name = ""] = /^[^\s,="]*/.exec(this.#text.slice(this.#at)) ?? [];
    this.#at += name.length;
    return name.toLowerCase();
  }

  /** Reads `="value"`; `\"` stands for a quotation mark. */
  value(name: string): string {
    const [whole = "", value] = /^="((?:\\"|[^"\\]|\\(?!"))*)"/.exec(this.#text.slice(this.#at)) ?? [];
    if (value === undefined)
      throw new SshError("key", `expected ${name}="…" with a value in quotation marks, got none`);
    this.#at += whole.length;
    return value.replaceAll('\\"', '"');
  }

  /** Returns whether another option follows, and skips the comma before it. */
  more(): boolean {
    const next = this.#text[this.#at];
    if (next === undefined || next === " " || next === "\t") return false;
    if (next !== ",") throw new SshError("key", `expected a comma or a space after an option, got ${quote(next)}`);
    this.#at++;
    return true;
  }

  rest(): string {
    return this.#text.slice(this.#at);
  }
}
