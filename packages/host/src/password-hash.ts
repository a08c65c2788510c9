/** Stored passwords: plain text or a PHC string (scrypt of RFC 7914, Argon2id of RFC 9106). @module */
import { type Argon2Cost, type Hash, type Random, type ScryptCost, webRandom } from "@postern/crypto";
import { checkOptions } from "@postern/ssh";
import { type Bytes, equal, expectType, fromBase64, ServerLimits, SshError, toBase64, utf8 } from "@postern/wire";

/** A stored password to compare attempts with. */
export interface StoredPassword {
  /** Passwords with the same `cost` take the same time to compare. */
  readonly cost: string;
  matches(password: string): Promise<boolean>;
}

/** The cost of a new hash. The defaults are OWASP's recommendation for scrypt: 64 MiB and about half a second. */
export interface HashCost {
  /** The base 2 logarithm of N. Default: 16. */
  readonly ln?: number;
  /** Default: 8. */
  readonly r?: number;
  /** Default: 2. */
  readonly p?: number;
}

const hashSize = 32;
/** A hash that needs more memory than this for one comparison is a mistake or an attack. */
const maxMemory = 1024 ** 3;

/** The functions that a platform provides for hashing passwords. */
export interface PasswordFunctions {
  readonly sha256: Hash;
  /** Derives `size` bytes with scrypt (RFC 7914). */
  readonly scrypt: (password: Bytes, salt: Bytes, cost: ScryptCost, size: number) => Promise<Bytes>;
  /** Derives `size` bytes with Argon2id version 1.3 (RFC 9106). */
  readonly argon2id: (password: Bytes, salt: Bytes, cost: Argon2Cost, size: number) => Promise<Bytes>;
}

/** A function that hashes a password, such as `hashPassword`. */
export type HashPassword = (password: string, cost?: HashCost, random?: Random) => Promise<string>;

/** Creates the function `hashPassword` of a platform. */
export function createHashPassword({ scrypt }: Pick<PasswordFunctions, "scrypt">): HashPassword {
  return async (password, given = {}, random = webRandom) => {
    checkStored("a password", password);
    checkOptions("the cost of a hash", given, ["ln", "r", "p"]);
    const { ln = 16, r = 8, p = 2 } = given;
    const salt = random(16);
    const parameters = scryptParameters({ ln, r, p });
    const hash = await scrypt(utf8(password), salt, parameters, hashSize);
    return `$scrypt$ln=${ln},r=${r},p=${p}$${unpadded(salt)}$${unpadded(hash)}`;
  };
}

/**
 * Matches hashes in unsupported formats: crypt(5), also of locked accounts, `{SSHA}` of LDAP, Django, Werkzeug and
 * PostgreSQL. If such a hash were taken as a plain password, anyone who has read it could log in with it.
 */
const unsupportedHash =
  /^(?:[!*]*(?:[${]|$)|(?:argon2\w*|bcrypt(?:_sha256)?|md5|pbkdf2(?:_\w+)?|scram-sha-\d+|scrypt|sha(?:1|224|256|384|512)?)[:$])/i;

/**
 * Parses a stored password: `$scrypt$ln=…,r=…,p=…$salt$hash`, `$argon2id$v=19$m=…,t=…,p=…$salt$hash`, or the password
 * itself unless it looks like another hash.
 *
 * @param name names the password in error messages
 * @throws SshError `misuse` if it is not a string, a hash in an unsupported format, or malformed. The message never has
 * the password.
 */
export function storedPassword(name: string, stored: string, functions: PasswordFunctions): StoredPassword {
  checkStored(name, stored);
  if (stored.startsWith("$scrypt$")) return readScrypt(stored, functions);
  if (stored.startsWith("$argon2id$")) return readArgon2(stored, functions);
  if (unsupportedHash.test(stored)) {
    const expected = `expected ${name} as plain text or a hash of scrypt or argon2id`;
    const hint = "if it is a password, for example one that starts with $ or {, hash it with hashPassword";
    throw new SshError("misuse", `${expected}, got something that looks like another hash; ${hint}`);
  }
  return plain(stored, functions);
}

function checkStored(name: string, given: string): void {
  expectType(name, given, "string");
  if (given === "") throw new SshError("misuse", `expected ${name}, got an empty string`);
  if (isTooLong(given)) {
    throw new SshError("misuse", `expected ${name} of at most ${ServerLimits.passwordBytes} bytes, got a longer one`);
  }
}

function isTooLong(password: string): boolean {
  return utf8(password).length > ServerLimits.passwordBytes;
}

/** Checks the length of an attempted password before any work is spent on it. @throws SshError `limit` */
export function expectPassword(given: string): void {
  if (!isTooLong(given)) return;
  throw new SshError("limit", `expected a password of at most ${ServerLimits.passwordBytes} bytes, got a longer one`);
}

/** Returns a password of the same cost that never matches, so that unknown users take as long as wrong passwords. */
export function decoyOf(stored: StoredPassword): StoredPassword {
  return { cost: stored.cost, matches: (password) => stored.matches(password).then(() => false) };
}

function plain(stored: string, { sha256 }: PasswordFunctions): StoredPassword {
  // Digests are compared, so that timing does not reveal the length.
  const digest = sha256.digest(utf8(stored));
  return { cost: "plain", matches: (password) => Promise.resolve(equal(sha256.digest(utf8(password)), digest)) };
}

function readScrypt(stored: string, { scrypt }: PasswordFunctions): StoredPassword {
  const [, ln, r, p, salt, hash] =
    /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,4}),p=(\d{1,4})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(stored) ?? [];
  if (salt === undefined || hash === undefined) throw malformed("$scrypt$ln=…,r=…,p=…$salt$hash");
  const cost = scryptParameters({ ln: Number(ln), r: Number(r), p: Number(p) });
  const expected = read(hash);
  const salted = read(salt);
  return {
    cost: `scrypt ${ln} ${r} ${p} ${expected.length}`,
    matches: async (password) => equal(await scrypt(utf8(password), salted, cost, expected.length), expected),
  };
}

function readArgon2(stored: string, { argon2id }: PasswordFunctions): StoredPassword {
  const [, m, t, p, salt, hash] =
    /^\$argon2id\$v=19\$m=(\d{1,8}),t=(\d{1,4}),p=(\d{1,3})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(stored) ?? [];
  if (salt === undefined || hash === undefined) throw malformed("$argon2id$v=19$m=…,t=…,p=…$salt$hash");
  const cost = { m: Number(m), t: Number(t), p: Number(p) };
  if (cost.t < 1 || cost.p < 1 || cost.m < 8 * cost.p || cost.m * 1024 > maxMemory) throw malformed("a cost in range");
  const expected = read(hash);
  const salted = read(salt);
  if (salted.length < 8) throw malformed("a salt of 8 bytes or more");
  return {
    cost: `argon2id ${m} ${t} ${p} ${expected.length}`,
    matches: async (password) => equal(await argon2id(utf8(password), salted, cost, expected.length), expected),
  };
}

function scryptParameters({ ln, r, p }: Required<HashCost>): { n: number; r: number; p: number } {
  const n = 2 ** ln;
  const whole = [ln, r, p].every((value) => Number.isInteger(value));
  if (!(whole && ln >= 1 && r >= 1 && p >= 1 && 128 * n * r <= maxMemory && r * p < 2 ** 30))
    throw malformed("a cost in range");
  return { n, r, p };
}

function read(base64: string): Bytes {
  // RFC 4648 section 4: no encoding has this length.
  if (base64.length % 4 === 1) throw malformed("base64 of whole bytes");
  const bytes = fromBase64(base64);
  // A shorter hash could match by chance.
  if (bytes.length < 4 || bytes.length > 64) throw malformed("a salt and a hash of 4 to 64 bytes");
  return bytes;
}

function unpadded(bytes: Bytes): string {
  return toBase64(bytes).replace(/=+$/, "");
}

function malformed(expected: string): SshError {
  return new SshError("misuse", `expected a password hash with ${expected}, got another value`);
}
