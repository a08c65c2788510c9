/** Makes a host from a configuration in the form of sshd_config(5). @module */
import { readFileSync } from "node:fs";
import type { GatewayPorts } from "@postern/host";
import { parseRevokedKeys } from "@postern/keys";
import {
  type Algorithms,
  type GivenHostLimits,
  algorithms as own,
  type PenaltyLimits,
  type Signer,
  type TunnelHostOptions,
} from "@postern/node";
import type { HostConnections } from "../connections.ts";
import { readHostKey, withCertificate } from "../host-key-files.ts";
import type { HostLogger } from "../logger.ts";
import type { HostSetup } from "../setup.ts";
import { type Accounts, systemAccounts } from "./accounts.ts";
import { type AlgorithmKind, offeredAlgorithms, pick, selectNames } from "./algorithm-names.ts";
import { authorizeSystemUsers, keysNeeded } from "./authorize.ts";
import { HostConfigError } from "./config-error.ts";
import { listenPlaces } from "./listen-places.ts";
import { parseTime } from "./numbers.ts";
import { readSshdConfig, type Settings, type SshdConfig, type SshdConfigSource, systemReason } from "./parse.ts";
import { fileOf, givenValue, numberOf, textOf, wordsOf } from "./settings.ts";
import { unknownToken } from "./user-files.ts";

/** The parts of a host besides its configuration. */
export interface SetupContext {
  readonly logger: HostLogger;
  readonly connections: HostConnections;
  /** the files of `-h` */
  readonly hostKeys: readonly string[];
  /** default: those of the system */
  readonly accounts?: Accounts | undefined;
}

/** A host, and what `-T` prints about it. */
export interface SshdSetup extends HostSetup {
  readonly config: SshdConfig;
  readonly keyFiles: readonly string[];
}

type Note = HostSetup["notes"][number];

const defaultHostKeys = ["rsa", "ecdsa", "ed25519"].map((type) => `/etc/ssh/ssh_host_${type}_key`);
/** sshd's connections are processes of their own, and go on after SIGTERM. */
const drainMs = 5_000;

/** @throws HostConfigError with the lines that sshd prints */
export async function setupFromSshdConfig(source: SshdConfigSource, context: SetupContext): Promise<SshdSetup> {
  const config = readSshdConfig(source);
  const { global } = config;
  checkFiles(config);
  const notes: Note[] = [...config.notes];
  const { hostKeys, keyFiles } = await hostKeysOf(config, context.hostKeys, notes);
  if (hostKeys.length === 0) throw noHostKeys(notes);
  if (givenValue(global, "PasswordAuthentication") === "yes")
    notes.push({
      level: "INFO",
      text: "PasswordAuthentication: system passwords are out of reach, so only keys are accepted",
    });
  if (keysNeeded(global) === Number.POSITIVE_INFINITY)
    notes.push({ level: "INFO", text: "AuthenticationMethods has no list of publickey alone, which no user can pass" });
  const { accounts = systemAccounts(), connections, logger } = context;
  const options: TunnelHostOptions = {
    hostKeys,
    authorize: authorizeSystemUsers({ config, accounts, connections, logger }),
    algorithms: algorithmsOf(config),
    ...optionsOf(config, notes),
  };
  return {
    config,
    keyFiles,
    options,
    notes,
    drainMs,
    listen: listenPlaces(global),
    // sshd_config(5) has no such keyword: see --workers.
    workers: undefined,
    log: {
      level: textOf(global, "LogLevel"),
      facility: textOf(global, "SyslogFacility"),
      format: "text",
      file: undefined,
      to: "system",
    },
    pidFile: fileOf(global, "PidFile"),
    health: undefined,
    isKnown: undefined,
  };
}

function noHostKeys(notes: readonly Note[]): HostConfigError {
  const problems = notes.filter(({ level }) => level !== "DEBUG1").map(({ text }) => text);
  return new HostConfigError([...problems, "sshd: no hostkeys available -- exiting."].join("\n"), 1);
}

async function hostKeysOf(
  { global }: SshdConfig,
  more: readonly string[],
  notes: Note[],
): Promise<{ hostKeys: readonly Signer[]; keyFiles: readonly string[] }> {
  const given = [...more, ...wordsOf(global, "HostKey").filter((one) => one.toLowerCase() !== "none")];
  const isDefault = given.length === 0;
  const keys: Signer[] = [];
  const keyFiles = [...new Set(isDefault ? defaultHostKeys : given)];
  for (const path of keyFiles) {
    try {
      keys.push(await readHostKey(path));
    } catch (error) {
      // As sshd, which does not expect each key of the default.
      if (!isDefault) notes.push({ level: "ERROR", text: hostKeyProblem(path, error as Error) });
    }
  }
  const certified = wordsOf(global, "HostCertificate").flatMap((path) => {
    try {
      return [withCertificate(path, keys)];
    } catch (error) {
      notes.push({ level: "ERROR", text: (error as Error).message });
      return [];
    }
  });
  return { hostKeys: [...certified, ...keys], keyFiles };
}

/** sshd does not say why the system could not read a file. */
function hostKeyProblem(path: string, { message, cause }: Error): string {
  const last = `Unable to load host key: ${path}`;
  return cause === undefined ? `${message}\n${last}` : last;
}

function algorithmsOf({ global }: SshdConfig): Algorithms {
  const select = <Algorithm extends { readonly name: string }>(
    name: string,
    kind: AlgorithmKind,
    all: readonly Algorithm[],
  ): readonly Algorithm[] => {
    const chosen = pick(all, selectNames(kind, givenValue(global, name)));
    if (chosen.length > 0) return chosen;
    throw new HostConfigError(`${name}: expected one of ${all.map((one) => one.name).join(", ")}, got none of them`);
  };
  const ciphers = select("Ciphers", "ciphers", offeredAlgorithms.ciphers);
  // An AEAD needs no MAC, so a list without one of ours may stay without effect.
  const macs = pick(offeredAlgorithms.macs, selectNames("macs", givenValue(global, "MACs")));
  const needsMac = ciphers.some(({ isAead }) => !isAead);
  return {
    kex: select("KexAlgorithms", "kex", offeredAlgorithms.kex),
    hostKeys: select("HostKeyAlgorithms", "hostKeys", offeredAlgorithms.hostKeys),
    ciphers,
    macs: macs.length > 0 ? macs : needsMac ? select("MACs", "macs", offeredAlgorithms.macs) : offeredAlgorithms.macs,
  };
}

function optionsOf({ global }: SshdConfig, notes: Note[]): Omit<TunnelHostOptions, "hostKeys" | "authorize"> {
  const [bytes = "0", seconds = "0"] = wordsOf(global, "RekeyLimit");
  const addendum = fileOf(global, "VersionAddendum");
  const banner = bannerOf(fileOf(global, "Banner"), notes);
  const revoked = revokedKeysOf(fileOf(global, "RevokedKeys"), notes);
  const interval = numberOrNone(textOf(global, "ClientAliveInterval"));
  const count = numberOf(global, "ClientAliveCountMax");
  return {
    userKeys: offeredAlgorithms.hostKeys,
    gatewayPorts: textOf(global, "GatewayPorts") as GatewayPorts,
    socketMode: 0o777 & ~Number.parseInt(textOf(global, "StreamLocalBindMask"), 8),
    takeover: "key",
    limits: limitsOf({ global }),
    // 0 never ends a connection.
    keepAlive: { intervalMs: interval * 1000, countMax: count === 0 ? Number.MAX_SAFE_INTEGER : count },
    rekey: {
      ...(Number(bytes) > 0 && { bytes: Number(bytes) }),
      ...(Number(seconds) > 0 && { ms: Number(seconds) * 1000 }),
    },
    ...(addendum !== undefined && { versionAddendum: addendum }),
    ...(banner !== undefined && { banner }),
    ...(revoked !== undefined && { revokedKeys: revoked }),
  };
}

function limitsOf({ global }: Pick<SshdConfig, "global">): GivenHostLimits {
  const [start = 10, rate = 30, full = 100] = textOf(global, "MaxStartups").split(":").map(Number);
  const [ipv4 = 32, ipv6 = 128] = textOf(global, "PerSourceNetBlockSize").split(":").map(Number);
  const perSource = textOf(global, "PerSourceMaxStartups");
  const grace = numberOrNone(textOf(global, "LoginGraceTime"));
  return {
    startups: { start, rate, full },
    startupsPerSource: perSource === "none" ? Number.POSITIVE_INFINITY : Number(perSource),
    sourceBits: { ipv4, ipv6 },
    // 0 never ends a login.
    loginTimeoutMs: grace === 0 ? Number.POSITIVE_INFINITY : grace * 1000,
    attempts: numberOf(global, "MaxAuthTries"),
    sessions: numberOf(global, "MaxSessions"),
    penalties: penaltiesOf(global),
  };
}

function penaltiesOf(global: Settings): Partial<PenaltyLimits> | false {
  const words = wordsOf(global, "PerSourcePenalties");
  if (words[0] === "no") return false;
  const given = new Map(words.filter((one) => one.includes(":")).map((one) => one.split(":") as [string, string]));
  const ms = (name: string, otherwise: number): number => Number(given.get(name) ?? otherwise) * 1000;
  const exempt = fileOf(global, "PerSourcePenaltyExemptList");
  return {
    authFailMs: ms("authfail", 5),
    noAuthMs: ms("noauth", 1),
    graceMs: ms("grace-exceeded", 10),
    thresholdMs: ms("min", 15),
    maxMs: ms("max", 600),
    maxSources: Number(given.get("max-sources4") ?? 16_384),
    ...(exempt !== undefined && { exempt }),
  };
}

/** sshd sends no banner while the file is missing. */
function bannerOf(file: string | undefined, notes: Note[]): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    notes.push({
      level: "DEBUG1",
      text: `no banner: ${file}: ${systemReason((error as NodeJS.ErrnoException).code ?? "")}`,
    });
    return undefined;
  }
}

function revokedKeysOf(file: string | undefined, notes: Note[]): Uint8Array | undefined {
  if (file === undefined) return undefined;
  try {
    const bytes = new Uint8Array(readFileSync(file));
    parseRevokedKeys(bytes, own.sha256);
    return bytes;
  } catch (error) {
    // Each login reads the file again, and is refused while it cannot be read.
    const { code, message } = error as NodeJS.ErrnoException;
    notes.push({ level: "ERROR", text: `RevokedKeys ${file}: ${code === undefined ? message : systemReason(code)}` });
    return undefined;
  }
}

/** @throws HostConfigError for file names with tokens that no user has */
function checkFiles({ global }: SshdConfig): void {
  for (const name of ["AuthorizedKeysFile", "AuthorizedPrincipalsFile"]) {
    for (const value of wordsOf(global, name)) {
      const token = unknownToken(value);
      if (token !== undefined) throw new HostConfigError(`${name}: unknown key ${token}`);
    }
  }
}

function numberOrNone(value: string): number {
  return value === "none" ? 0 : (parseTime(value) ?? 0);
}
