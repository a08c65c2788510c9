/** The options of clients and servers, and their checks. @module */
import type { AuthAttempt, AuthDecision, AuthEntry, AuthMethod, InteractiveRequest, MaybePromise } from "@postern/auth";
import type { Algorithms, Certificate, Random, Signer } from "@postern/crypto";
import type { PacketTap, Preferred, RekeyLimits } from "@postern/transport";
import {
  type Bytes,
  describeType,
  expectList,
  expectNumber,
  expectSignal,
  expectText,
  expectType,
  isThenable,
  quote,
  SshError,
} from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import type { BytePipe } from "./byte-pipe.ts";
import type { KeepAliveOptions } from "./keepalive.ts";
import type { IncomingOpen, IncomingRequest, SshConnection } from "./ssh-connection.ts";

/** Options of both roles. */
export interface ConnectionOptions {
  readonly algorithms: Algorithms;
  readonly random: Random;
  /** A monotonic clock in milliseconds. Default `performance.now`. */
  readonly now?: () => number;
  /** The software version in our identification line. Default `Postern_<version>`. */
  readonly software?: string;
  /**
   * When to start a key exchange, once the login is complete. Default 1 GiB, 2^31 packets or one hour. At most 64 GiB
   * and 2^31 packets, which the ciphers need.
   */
  readonly rekey?: Partial<RekeyLimits>;
  /** Time limit for login, including decisions of the program. Default 60 s. */
  readonly loginTimeoutMs?: number;
  /** Detects a lost peer after login. Default: off. */
  readonly keepAlive?: KeepAliveOptions;
  /**
   * Limits the memory of all receive windows, in bytes: data that the peer may send or that the program has not read.
   * Default 256 MiB. With many channels each window is smaller. A channel with a `window` option gets that size in any
   * case.
   */
  readonly windowBudget?: number;
  /** Aborts the login, which then rejects with `signal.reason`. */
  readonly signal?: AbortSignal;
  /** The peer opens a channel. The handler must accept or refuse it. Default: every channel is refused. */
  readonly onChannelOpen?: (open: IncomingOpen, connection: SshConnection) => void;
  /** The peer sent a global request. Default: it is answered with failure. */
  readonly onGlobalRequest?: ((request: IncomingRequest, connection: SshConnection) => void) | undefined;
  /** The peer sent SSH_MSG_DEBUG. Unprintable characters are escaped. OpenSSH explains refused forwardings this way. */
  readonly onDebug?: (message: string, alwaysDisplay: boolean) => void;
  /** Sees every packet in plain text, with passwords and all data; see {@link PacketTap}. Default: none. */
  readonly tap?: PacketTap | undefined;
}

/** A host key whose signature is valid. The program decides whether to trust it. */
export interface VerifiedHostKey {
  /** the public key blob, RFC 4253 section 6.6; a certificate if one was negotiated */
  readonly hostKey: Bytes;
  /** the signature algorithm that was negotiated */
  readonly algorithm: string;
  /** the certificate in `hostKey`. Neither the CA's signature nor any condition is checked, see `checkCertificate`. */
  readonly certificate?: Certificate | undefined;
  /** the host key algorithms of this connection, which verify signatures */
  readonly algorithms: Algorithms["hostKeys"];
}

/** Decides whether to trust the server, by what is known of it. */
export interface HostKeyOption {
  /** Returns whether to trust the server. Called once, after its signature has been verified. */
  check(offer: VerifiedHostKey): MaybePromise<boolean>;
  /** Returns the host key algorithms to offer, best first. Called before the handshake with those of the option. */
  algorithms?(offered: Algorithms["hostKeys"]): MaybePromise<Algorithms["hostKeys"]>;
  /** The server announced its host keys (`hostkeys-00@openssh.com`, OpenSSH PROTOCOL section 2.5) after login. */
  announced?(data: Bytes, connection: SshConnection): void;
}

/** Options of {@link connect}. */
export interface ClientOptions extends ConnectionOptions {
  readonly user: string;
  /** login methods, tried in order */
  readonly auth: readonly AuthEntry[];
  /** Returns whether to trust the server. Called once, after its signature has been verified. */
  readonly hostKey: HostKeyOption["check"] | HostKeyOption;
  /**
   * `peer.preferred` of an earlier connection to the same server. If both sides still prefer the same algorithms, the
   * key exchange takes a round trip less (RFC 4253 section 7.1). If the server has changed its algorithms, it ignores
   * one message.
   */
  readonly guess?: Preferred | undefined;
  /**
   * Called when the server is trusted and login begins. From now on global requests may be made. They are sent when
   * login completes, and reject with its error if it fails. If a key is our last login method and the server works in
   * order (OpenSSH, dropbear, Postern), they are sent right after the login request, which saves a round trip (RFC 4252
   * section 5.1).
   */
  readonly onLogin?: (connection: SshConnection) => void;
  /**
   * The server sent a line before its identification (RFC 4253 section 4.2), for example that it is busy. Unprintable
   * characters are escaped.
   */
  readonly onNotice?: (message: string) => void;
  /** The server sent USERAUTH_BANNER. Control characters are escaped, except line ends and tabs. */
  readonly onBanner?: (message: string) => void;
}

/** The circumstances of an attempt to log in. */
export interface AttemptContext {
  /** the methods that this client has passed so far, in order */
  readonly passed: readonly string[];
  /** Aborts when the client abandons the attempt or the connection ends. The decision is ignored then. */
  readonly signal: AbortSignal;
}

/** An attempt to log in. */
export type LoginAttempt = AttemptContext &
  (
    | Exclude<AuthAttempt, { readonly method: "keyboard-interactive" }>
    | (Extract<AuthAttempt, { readonly method: "keyboard-interactive" }> & {
        /**
         * Asks the client (RFC 4256 section 3.2). Resolves with one answer for each prompt. May be called several
         * times. Rejects with SshError `aborted` if the client abandons the attempt, and with the connection's error if
         * that ends.
         */
        ask(request: InteractiveRequest): Promise<readonly string[]>;
      })
  );

/** Options of {@link accept}. */
export interface ServerOptions extends ConnectionOptions {
  readonly hostKeys: readonly Signer[];
  /** The algorithms of user keys. Default: those of host keys, `algorithms.hostKeys`. */
  readonly userKeys?: Algorithms["hostKeys"] | undefined;
  /** Comments after our software version in the identification line (RFC 4253 section 4.2). Default: none. */
  readonly versionAddendum?: string | undefined;
  /** Names of the methods offered. Default `publickey`, `password`. */
  readonly methods?: readonly string[];
  /** Called when the client has logged in, before its requests are handled. */
  readonly onLogin?: (connection: SshConnection) => void;
  /** Decides about each attempt. An error refuses it, as does any value that is not an {@link AuthDecision}. */
  readonly authenticate: (attempt: LoginAttempt) => MaybePromise<AuthDecision>;
  /** Refused attempts before the client is disconnected. Default 6. */
  readonly attempts?: number;
  readonly banner?: string;
}

/** Returns the rekey limits with defaults. @throws SshError `misuse` for values out of range */
export function rekeyLimits(given: Partial<RekeyLimits> = {}): RekeyLimits {
  checkOptions("rekey", given, ["bytes", "packets", "ms"]);
  const { bytes = Limits.rekeyBytes, packets = Limits.maxRekeyPackets, ms = Limits.rekeyMs } = given;
  for (const [name, value] of Object.entries({ bytes, packets, ms })) expectNumber(`rekey.${name}`, value, 1);
  return { bytes: Math.min(bytes, Limits.maxRekeyBytes), packets: Math.min(packets, Limits.maxRekeyPackets), ms };
}

/** Fills in missing lists from `defaults`, and checks all lists of algorithms. @throws SshError `misuse` */
export function checkAlgorithms(given: Partial<Algorithms>, defaults: Partial<Algorithms> = {}): Algorithms {
  checkOptions("algorithms", given, ["kex", "hostKeys", "ciphers", "macs"]);
  const { kex = defaults.kex, hostKeys = defaults.hostKeys, ciphers = defaults.ciphers, macs = defaults.macs } = given;
  const lists = { kex, hostKeys, ciphers, macs };
  for (const [name, list] of Object.entries(lists))
    expectList(`algorithms.${name} to list algorithm values`, list, isAlgorithm);
  return lists as Algorithms;
}

function isAlgorithm(one: { readonly name?: unknown }): boolean {
  return typeof one.name === "string";
}

/** Fills in missing values from `defaults`, and checks all of them. @throws SshError `misuse` */
export function checkKeepAlive(
  given: Partial<KeepAliveOptions> = {},
  defaults: Partial<KeepAliveOptions> = {},
): KeepAliveOptions {
  checkOptions("keepAlive", given, ["intervalMs", "countMax"]);
  const { intervalMs = defaults.intervalMs, countMax = defaults.countMax } = given;
  expectNumber("keepAlive.intervalMs", intervalMs);
  expectNumber("keepAlive.countMax", countMax, 1);
  return { intervalMs, countMax };
}

/** Checks that each entry is a login method, or a function that returns some. @throws SshError `misuse` */
export function checkAuth(auth: readonly AuthEntry[]): void {
  expectList("auth to hold methods such as password('…')", auth, (entry: Partial<AuthMethod>) => {
    return typeof entry === "function" || (typeof entry.name === "string" && typeof entry.begin === "function");
  });
}

/** Checks the options of `connect`. @throws SshError `misuse` */
export function checkClient(options: ClientOptions): void {
  checkConnection(options);
  expectType("user", options.user, "string");
  checkAuth(options.auth);
  const hostKey: unknown = options.hostKey;
  const { check = hostKey } = (hostKey ?? {}) as { readonly check?: unknown };
  expectType("hostKey", check, "function");
  expectFunctions(options, ["onLogin", "onBanner", "onNotice"]);
}

/** Checks the options of `accept`. @throws SshError `misuse` */
export function checkServer(options: ServerOptions): void {
  checkConnection(options);
  checkHostKeys(options.hostKeys, options.algorithms.hostKeys);
  const { methods = [], attempts = 0, banner = "", userKeys = [], versionAddendum = "" } = options;
  expectList("userKeys to list algorithm values", userKeys, isAlgorithm);
  checkVersionAddendum(versionAddendum);
  expectList("methods to be a list of names", methods, (name) => typeof name === "string");
  expectType("authenticate", options.authenticate, "function");
  expectNumber("attempts", attempts);
  expectType("banner", banner, "string");
  expectFunctions(options, ["onLogin"]);
}

/** @throws SshError `misuse` unless the text may follow a software version (RFC 4253 section 4.2) */
export function checkVersionAddendum(text: string): void {
  expectType("versionAddendum", text, "string");
  if (!/^[ -~]{0,100}$/.test(text))
    throw new SshError("misuse", `expected versionAddendum to be at most 100 printable characters, got ${quote(text)}`);
}

function checkConnection(options: ConnectionOptions): void {
  const { algorithms, random, software = "-", loginTimeoutMs = 1, keepAlive, windowBudget = 0 } = options;
  checkAlgorithms(algorithms);
  expectType("random", random, "function");
  expectText("software", software);
  expectNumber("loginTimeoutMs", loginTimeoutMs, 1);
  if (keepAlive !== undefined) checkKeepAlive(keepAlive);
  expectNumber("windowBudget", windowBudget);
  expectSignal(options.signal);
  expectFunctions(options, ["now", "onChannelOpen", "onGlobalRequest", "onDebug"]);
  if (options.tap === undefined) return;
  const { packet } = (options.tap ?? {}) as { readonly packet?: unknown };
  expectType("tap.packet", packet, "function");
}

function expectFunctions<Options>(options: Options, names: readonly (keyof Options & string)[]): void {
  for (const name of names) if (options[name] !== undefined) expectType(name, options[name], "function");
}

/** Checks that a server has a host key for at least one of the algorithms it offers. @throws SshError `misuse` */
export function checkHostKeys(hostKeys: readonly Signer[], offered: Algorithms["hostKeys"]): void {
  expectList("hostKeys to hold signers, see readPrivateKey", hostKeys, isSigner);
  if (hostKeys.length === 0) {
    throw new SshError("misuse", "expected hostKeys to hold at least one signer, see readPrivateKey, got none");
  }
  const names = offered.map(({ name }) => name);
  const ours = hostKeys.flatMap(({ algorithms }) => algorithms);
  if (ours.some((name) => names.includes(name))) return;
  throw new SshError("misuse", `expected a host key for one of ${names.join(", ")}, got keys for ${ours.join(", ")}`);
}

function isSigner(given: Partial<Signer> | null | undefined): boolean {
  const { publicKey, algorithms, sign } = given ?? {};
  return publicKey instanceof Uint8Array && Array.isArray(algorithms) && typeof sign === "function";
}

/** Returns the result of `make`. If it throws, aborts the pipe, because no other code would close it. */
export function orDrop<T>(pipe: BytePipe, make: () => T): T {
  try {
    return make();
  } catch (error) {
    pipe.abort(error instanceof Error ? error : undefined);
    throw error;
  }
}

/**
 * Rejects unknown options and names the nearest known one, so that a misspelt option is not silently ignored.
 * @throws SshError `misuse`
 */
export function checkOptions(what: string, given: object, known: readonly string[]): void {
  const isObject = typeof given === "object" && given !== null;
  if (!isObject || isThenable(given) || Symbol.iterator in given)
    throw new SshError("misuse", `expected options of ${what}, got ${describeType(given)}`);
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    const [nearest] = known.toSorted((a, b) => distance(name, a) - distance(name, b));
    const hint =
      nearest !== undefined && distance(name, nearest) <= Math.max(2, name.length / 2)
        ? `: did you mean "${nearest}"?`
        : "";
    throw new SshError("misuse", `unknown option "${name}" of ${what}${hint}`);
  }
}

/** Returns how many letters of either name are missing in the other, ignoring order and case. */
function distance(a: string, b: string): number {
  const left = b.toLowerCase().split("");
  let unmatched = 0;
  for (const letter of a.toLowerCase()) {
    const at = left.indexOf(letter);
    if (at < 0) unmatched++;
    else left.splice(at, 1);
  }
  return unmatched + left.length;
}
