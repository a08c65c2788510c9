/** Decides about logins as sshd_config(5) says. Users are those of the system; their keys are in files. @module */
import { readFile } from "node:fs/promises";
import { restrict } from "@postern/host";
import { keyType, parseRevokedKeys } from "@postern/keys";
import {
  type Authorize,
  algorithms,
  authorizedKeys,
  type HostDecision,
  type HostLoginAttempt,
  type Permissions,
} from "@postern/node";
import { type Bytes, Reader } from "@postern/wire";
import type { HostConnection, HostConnections } from "../connections.ts";
import type { HostLogger } from "../logger.ts";
import type { Account, Accounts } from "./accounts.ts";
import { selectNames } from "./algorithm-names.ts";
import { linesWith, trustedAuthorities } from "./key-lines.ts";
import { type MatchSubject, matchesList, matchesUser } from "./match.ts";
import type { Settings, SshdConfig } from "./parse.ts";
import { permissionsOf } from "./permissions.ts";
import { fileOf, givenValue, isYes, numberOf, textOf, wordsOf } from "./settings.ts";
import { createUserFiles, type ReadUserFile, userPath } from "./user-files.ts";

/** The parts that a decision needs. */
export interface SystemPolicy {
  readonly config: SshdConfig;
  readonly accounts: Accounts;
  readonly connections: HostConnections;
  readonly logger: HostLogger;
}

type KeyAttempt = Extract<HostLoginAttempt, { readonly method: "publickey" }>;

/** An account, unless there is none, and its groups if the configuration is about groups. */
interface KnownUser {
  readonly account: Account | undefined;
  readonly groups: readonly string[];
}

/** The user of an attempt, and the settings for it. */
interface Login {
  readonly account: Account;
  readonly settings: Settings;
  readonly subject: MatchSubject;
}

/** Returns the function that decides. Only `publickey` can succeed: the passwords of the system are out of reach. */
export function authorizeSystemUsers(policy: SystemPolicy): Authorize {
  // A connection has one user, and each question may start a program.
  const known = new WeakMap<HostConnection, Promise<KnownUser>>();
  const find = (name: string, connection: HostConnection): Promise<KnownUser> => {
    const found = known.get(connection) ?? findUser(name, policy);
    known.set(connection, found);
    return found;
  };
  const readUserFile = createUserFiles();
  const authorize = async (attempt: HostLoginAttempt): Promise<HostDecision> => {
    const login = await loginOf(attempt, policy, find);
    if (login === undefined || attempt.method !== "publickey") return false;
    const problem = await keyProblem(attempt, login);
    if (problem !== undefined) return refuse(attempt, problem);
    const granted = await grantedByKey(attempt, login, policy, readUserFile);
    if (granted === undefined) return false;
    const permissions: Permissions = {
      ...restrict(permissionsOf(login.settings, login.account.uid), granted),
      ...(granted.noTouchRequired === true && !requiresTouch(login.settings) && { noTouchRequired: true }),
    };
    return keysNeeded(login.settings) > attempt.passed.length + 1
      ? { ...permissions, partial: ["publickey"] }
      : permissions;
  };
  return Object.assign(authorize, { methods: ["publickey"] });
}

async function findUser(name: string, { accounts, config }: SystemPolicy): Promise<KnownUser> {
  const account = await accounts.find(name);
  const groups = account !== undefined && config.needsGroups ? await accounts.groups(name) : [];
  return { account, groups };
}

/** Finds the account and its settings, unless it may not log in. The refusals are logged in the words of sshd. */
async function loginOf(
  attempt: HostLoginAttempt,
  { config, connections, logger }: SystemPolicy,
  find: (name: string, connection: HostConnection) => Promise<KnownUser>,
): Promise<Login | undefined> {
  const connection = connections.of(attempt);
  const { account, groups } = await find(attempt.user, connection);
  const subject: MatchSubject = {
    user: attempt.user,
    isInvalid: account === undefined,
    groups,
    host: connection.address,
    address: connection.address,
    localAddress: connection.localAddress,
    localPort: connection.localPort,
  };
  const settings = config.settings(subject);
  const why = account === undefined ? "" : accountProblem(account, subject, settings, config.needsGroups);
  connection.isInvalid = why !== undefined;
  if (account !== undefined && why === undefined) return { account, settings, subject };
  const isFirst = connection.user !== attempt.user;
  connection.user = attempt.user;
  if (isFirst && why !== undefined && why !== "") logger.write("INFO", why);
  else if (isFirst)
    logger.write("INFO", `Invalid user ${connections.nameOf(attempt.user)} from ${connections.placeOf(connection)}`);
  return undefined;
}

/** AllowUsers and its kin, in the order of sshd: deny, then allow, users before groups. */
function accountProblem(
  account: Account,
  subject: MatchSubject,
  settings: Settings,
  needsGroups: boolean,
): string | undefined {
  const user = `User ${subject.user} from ${subject.address} not allowed`;
  // The program that lists groups has failed. DenyGroups and Match would not see them.
  if (needsGroups && subject.groups.length === 0) return `${user} because not in any group`;
  const list = (name: string): readonly string[] => wordsOf(settings, name);
  if (isYes(settings, "RefuseConnection")) return `${user} because RefuseConnection is set`;
  if (list("DenyUsers").some((one) => matchesUser(one, subject))) return `${user} because listed in DenyUsers`;
  const allowed = list("AllowUsers");
  if (allowed.length > 0 && !allowed.some((one) => matchesUser(one, subject)))
    return `${user} because not listed in AllowUsers`;
  const inGroup = (name: string): boolean =>
    list(name).some((pattern) => subject.groups.some((group) => matchesList(group, pattern)));
  if (inGroup("DenyGroups")) return `${user} because a group is listed in DenyGroups`;
  if (list("AllowGroups").length > 0 && !inGroup("AllowGroups"))
    return `${user} because none of user's groups are listed in AllowGroups`;
  const mayBeRoot = !["no", "forced-commands-only"].includes(textOf(settings, "PermitRootLogin"));
  return account.uid === 0 && !mayBeRoot ? `ROOT LOGIN REFUSED FROM ${subject.address}` : undefined;
}

/** Why a key may not be used at all, in words for the log. */
async function keyProblem(attempt: KeyAttempt, { settings }: Login): Promise<string | undefined> {
  const { algorithm, certificate, publicKey } = attempt;
  if (!isYes(settings, "PubkeyAuthentication")) return "PubkeyAuthentication is off";
  if (keysNeeded(settings) === Number.POSITIVE_INFINITY) return "AuthenticationMethods has no list of publickey alone";
  const accepts = (name: string, list: string): boolean =>
    selectNames("keys", givenValue(settings, list)).includes(name);
  if (!accepts(algorithm, "PubkeyAcceptedAlgorithms"))
    return `signature algorithm ${algorithm} not in PubkeyAcceptedAlgorithms`;
  const least = numberOf(settings, "RequiredRSASize");
  const bits = rsaBits(certificate?.publicKey ?? publicKey);
  if (bits !== undefined && bits < least) return `refusing RSA key: ${bits} bits, expected at least ${least}`;
  if (certificate !== undefined) {
    const signed = new Reader(certificate.signature, "signature").text();
    if (!accepts(signed, "CASignatureAlgorithms"))
      return `CA signature algorithm ${signed} not in CASignatureAlgorithms`;
  }
  const file = fileOf(settings, "RevokedKeys");
  if (file === undefined) return undefined;
  // As in sshd, no key is accepted while the list cannot be read.
  const revoked = await readFile(file).catch(() => undefined);
  if (revoked === undefined) return `Error checking authentication key in revoked keys file ${file}`;
  return parseRevokedKeys(new Uint8Array(revoked), algorithms.sha256).reason(publicKey);
}

/** How many keys AuthenticationMethods requires. Infinity if it requires what this host does not offer. */
export function keysNeeded(settings: Settings): number {
  const lists = wordsOf(settings, "AuthenticationMethods");
  if (lists[0] === "any") return 1;
  const ofKeys = lists.map((list) => list.split(",")).filter((names) => names.every((name) => name === "publickey"));
  return Math.min(...ofKeys.map((names) => names.length), Number.POSITIVE_INFINITY);
}

/** Returns what the key's line permits, or `undefined` if the user has no such key. */
async function grantedByKey(
  attempt: KeyAttempt,
  login: Login,
  policy: SystemPolicy,
  readUserFile: ReadUserFile,
): Promise<Permissions | undefined> {
  const { settings, account } = login;
  const { logger } = policy;
  const isStrict = isYes(policy.config.global, "StrictModes");
  const use = {
    ...attempt,
    host: login.subject.address,
    onRefused: (reason: string) => attempt.onRefused?.(reason),
  };
  const read = async (name: string): Promise<string | undefined> => {
    const path = userPath(name, account);
    try {
      return await readUserFile({ path, account, isStrict }, attempt.signal);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === undefined) logger.write("INFO", message);
      else logger.write("DEBUG1", `Could not open user '${account.name}' authorized keys '${path}': ${code}`);
      return undefined;
    }
  };
  const trusted = await trustedAuthorities(attempt.certificate, settings, read, logger);
  const byAuthority = trusted?.permissions(attempt.publicKey, use);
  if (byAuthority !== undefined) return verified(byAuthority, attempt, login);
  for (const name of wordsOf(settings, "AuthorizedKeysFile")) {
    if (name.toLowerCase() === "none") continue;
    const text = await read(name);
    const lines = text === undefined ? [] : linesWith(attempt.certificate?.signatureKey ?? attempt.publicKey, text);
    const permissions = authorizedKeys(lines).permissions(attempt.publicKey, use);
    if (permissions !== undefined) return verified(permissions, attempt, login);
  }
  return undefined;
}

/** PubkeyAuthOptions `verify-required`: a security key must have verified its user, whatever its line says. */
function verified(granted: Permissions, attempt: KeyAttempt, { settings }: Login): Permissions | undefined {
  const isRequired = wordsOf(settings, "PubkeyAuthOptions").includes("verify-required");
  const isMissing = isRequired && attempt.proved && attempt.securityKey?.userVerified === false;
  if (isMissing) attempt.onRefused?.("expected a security key that verified its user (verify-required)");
  return isMissing ? undefined : granted;
}

function requiresTouch(settings: Settings): boolean {
  return wordsOf(settings, "PubkeyAuthOptions").includes("touch-required");
}

function refuse(attempt: HostLoginAttempt, reason: string): false {
  attempt.onRefused?.(reason);
  return false;
}

/** The length of an RSA key. `undefined` for a key of another type. */
function rsaBits(blob: Bytes): number | undefined {
  if (keyType(blob) !== "ssh-rsa") return undefined;
  const reader = new Reader(blob, "public key");
  reader.text();
  reader.mpint();
  const modulus = reader.mpint();
  const start = modulus.findIndex((byte) => byte !== 0);
  return start < 0 ? 0 : 8 * (modulus.length - start - 1) + (32 - Math.clz32(modulus[start] ?? 0));
}
