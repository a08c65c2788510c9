/** Stored passwords: plain, or hashed in the PHC string format (scrypt of RFC 7914, Argon2id of RFC 9106). @module */
import { type Argon2Cost, type Hash, type Random, type ScryptCost, webRandom } from "@postern/crypto";
import { checkOptions } from "@postern/ssh";
import { type Bytes, describeType, equal, fromBase64, ServerLimits, SshError, toBase64, utf8 } from "@postern/wire";

/** A stored password that others can be compared with. */
export interface StoredPassword {
  /** passwords of one cost take the same time to compare */
  readonly cost: string;
  matches(password: string): Promise<boolean>;
}

/** The cost of a new hash; the defaults are what OWASP recommends for scrypt, 64 MiB and about half a second here. */
export interface HashCost {
  /** the logarithm of N; default 16 */
  readonly ln?: number;
  readonly r?: number;
  readonly p?: number;
}

const hashSize = 32;
/** More memory than this for one comparison is a mistake, or an attack on the host. */
const maxMemory = 1024 ** 3;

/** What comparing passwords asks of a platform. */
export interface PasswordFunctions {
  readonly sha256: Hash;
  /** Derives `size` bytes with scrypt (RFC 7914). */
  readonly scrypt: (password: Bytes, salt: Bytes, cost: ScryptCost, size: number) => Promise<Bytes>;
  /** Derives `size` bytes with Argon2id version 1.3 (RFC 9106). */
  readonly argon2id: (password: Bytes, salt: Bytes, cost: Argon2Cost, size: number) => Promise<Bytes>;
}

/** A function that hashes a password, such as `hashPassword`. */
export type HashPassword = (password: string, cost?: HashCost, random?: Random) => Promise<string>;

/** Makes the function `hashPassword` of a platform. */
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
 * What starts like a hash of a kind that is not known here: crypt(5), also with the marks of a locked account, `{SSHA}` of LDAP, and
 * the formats of Django, Werkzeug and PostgreSQL. Taken as a password, the hash itself would let anyone in who has read it.
 */
const foreignHash =
  /^(?:[!*]*(?:[${]|$)|(?:argon2\w*|bcrypt(?:_sha256)?|md5|pbkdf2(?:_\w+)?|scram-sha-\d+|scrypt|sha(?:1|224|256|384|512)?)[:$])/i;

/**
 * Reads a stored password: `$scrypt$ln=…,r=…,p=…$salt$hash`, `$argon2id$v=19$m=…,t=…,p=…$salt$hash`, or the password itself unless it
 * looks like another hash.
 *
 * @param name what is read, for messages
 * @throws SshError `misuse` when it is no text, a hash of another kind, or malformed; the text is not in the message
 */
export function storedPassword(name: string, stored: string, functions: PasswordFunctions): StoredPassword {
  checkStored(name, stored);
  if (stored.startsWith("$scrypt$")) return readScrypt(stored, functions);
  if (stored.startsWith("$argon2id$")) return readArgon2(stored, functions);
  if (foreignHash.test(stored)) {
    const hint =
      "a password that looks like another hash, for example by a $ or { at its start, has to be hashed, see hashPassword";
    throw new SshError("misuse", `expected ${name}, or a hash of scrypt or argon2id: ${hint}`);
  }
  return plain(stored, functions);
}

function checkStored(name: string, given: string): void {
  if (typeof given !== "string") throw new SshError("misuse", `expected ${name} as text, got ${describeType(given)}`);
  if (given === "") throw new SshError("misuse", `expected ${name}, got an empty one`);
  if (isTooLong(given)) {
    throw new SshError("misuse", `expected ${name} of at most ${ServerLimits.passwordBytes} bytes, got a longer one`);
  }
}

function isTooLong(password: string): boolean {
  return utf8(password).length > ServerLimits.passwordBytes;
}

/** Refuses what nobody's password is, before it is worked on. @throws SshError `limit` */
export function expectPassword(given: string): void {
  if (!isTooLong(given)) return;
  throw new SshError("limit", `expected a password of at most ${ServerLimits.passwordBytes} bytes, got a longer one`);
}

/** A stored password of the same cost that nothing matches: unknown users take as long as wrong passwords. */
export function decoyOf(stored: StoredPassword): StoredPassword {
  return { cost: stored.cost, matches: (password) => stored.matches(password).then(() => false) };
}

function plain(stored: string, { sha256 }: PasswordFunctions): StoredPassword {
  // Compared as digests, so that the time tells nothing of the length either.
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
  // RFC 4648 section 4: no bytes have an encoding of this length.
  if (base64.length % 4 === 1) throw malformed("base64 of whole bytes");
  const bytes = fromBase64(base64);
  // A short hash would match by accident.
  if (bytes.length < 4 || bytes.length > 64) throw malformed("a salt and a hash of up to 64 bytes");
  return bytes;
}

function unpadded(bytes: Bytes): string {
  return toBase64(bytes).replace(/=+$/, "");
}

function malformed(expected: string): SshError {
  return new SshError("misuse", `expected a password hash with ${expected}, got another`);
}
