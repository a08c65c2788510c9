/** What a client and a server are told; checking of options. @module */
import type { AuthAttempt, AuthDecision, AuthMethod, InteractiveRequest, MaybePromise } from "@postern/auth";
import type { Algorithms, Random, Signer } from "@postern/crypto";
import type { RekeyLimits } from "@postern/transport";
import {
  type Bytes,
  describeType,
  expectList,
  expectNumber,
  expectSignal,
  expectText,
  expectType,
  isThenable,
  Limits,
  RfcLimits,
  SshError,
} from "@postern/wire";
import type { BytePipe } from "./byte-pipe.ts";
import type { KeepAliveOptions } from "./keepalive.ts";
import type { IncomingOpen, IncomingRequest, SshConnection } from "./ssh-connection.ts";

/** What both roles take. */
export interface ConnectionOptions {
  readonly algorithms: Algorithms;
  readonly random: Random;
  /** a monotonic clock in milliseconds; default `performance.now` */
  readonly now?: () => number;
  /** the software version in our identification line; default `Postern_<version>` */
  readonly software?: string;
  /** when to exchange keys anew; default 1 GiB, 2^31 packets, one hour; `Infinity` leaves 64 GiB and 2^31 packets, which the ciphers need */
  readonly rekey?: Partial<RekeyLimits>;
  /** milliseconds until the peer must be logged in, decisions of the program included; default 60 s */
  readonly loginTimeoutMs?: number;
  /** how a peer that has gone is found out, once it is logged in; off unless given */
  readonly keepAlive?: KeepAliveOptions;
  /**
   * bytes that all receive windows together may take: what the peer may send, and what it sent that nobody has taken; default 256 MiB. With many
   * channels each gets less. A channel opened or accepted with a `window` of its own takes that much in any case.
   */
  readonly windowBudget?: number;
  /** gives the login up */
  readonly signal?: AbortSignal;
  /** The peer opens a channel; without a handler, and for any type it does not answer, the open is refused. */
  readonly onChannelOpen?: (open: IncomingOpen, connection: SshConnection) => void;
  /** The peer sends a global request; without a handler it is answered with failure. */
  readonly onGlobalRequest?: (request: IncomingRequest, connection: SshConnection) => void;
  /** SSH_MSG_DEBUG of the peer, with unprintable characters escaped: OpenSSH explains refused forwardings this way. */
  readonly onDebug?: (message: string, alwaysDisplay: boolean) => void;
}

/** A host key whose signature has been verified; whether to trust it is the program's decision. */
export interface VerifiedHostKey {
  /** the public key blob, RFC 4253 section 6.6 */
  readonly hostKey: Bytes;
  /** the signature algorithm that was negotiated */
  readonly algorithm: string;
}

/** What {@link connect} takes. */
export interface ClientOptions extends ConnectionOptions {
  readonly user: string;
  /** tried in order */
  readonly auth: readonly AuthMethod[];
  /** Whether to trust the host. Asked once, after its signature has been verified. */
  readonly hostKey: (offer: VerifiedHostKey) => MaybePromise<boolean>;
  /**
   * Called when the host is trusted and the login begins. Global requests may be made from now on. They leave when the login has succeeded; or, when
   * a key is all there is to log in with and the server is known to work in order (OpenSSH, dropbear, our own), right behind the login's
   * request, which saves a round trip (RFC 4252 section 5.1). When the login fails they fail with the same error.
   */
  readonly onLogin?: (connection: SshConnection) => void;
  /** A line that the server sent before its identification (RFC 4253 section 4.2), made printable. A busy server explains itself there. */
  readonly onNotice?: (message: string) => void;
  /** USERAUTH_BANNER; control characters are escaped, except line ends and tabs */
  readonly onBanner?: (message: string) => void;
}

/** What a server's program is told with each attempt. */
export interface AttemptContext {
  /** the methods that were accepted in part on this connection, in their order */
  readonly passed: readonly string[];
  /** fires when the client drops the attempt, or the connection ends: nobody waits for the decision any more */
  readonly signal: AbortSignal;
}

/** A login attempt as a server's program sees it. */
export type LoginAttempt = AttemptContext &
  (
    | Exclude<AuthAttempt, { readonly method: "keyboard-interactive" }>
    | (Extract<AuthAttempt, { readonly method: "keyboard-interactive" }> & {
        /**
         * Asks the client (RFC 4256 section 3.2); gives one answer for each prompt. May be called several times.
         * Rejects with SshError `aborted` when the client drops the attempt, and with the connection's error when that ends.
         */
        ask(request: InteractiveRequest): Promise<readonly string[]>;
      })
  );

/** What {@link serve} takes. */
export interface ServerOptions extends ConnectionOptions {
  readonly hostKeys: readonly Signer[];
  /** names of the methods offered; default `publickey`, `password` */
  readonly methods?: readonly string[];
  /** Called once the client is logged in, before anything it asks for is looked at. */
  readonly onLogin?: (connection: SshConnection) => void;
  /** Decides each attempt. An error thrown refuses it, and so does whatever is no {@link AuthDecision}. */
  readonly authenticate: (attempt: LoginAttempt) => MaybePromise<AuthDecision>;
  /** refused attempts before the client is disconnected; default 6 */
  readonly attempts?: number;
  readonly banner?: string;
}

/** The rekey limits with the defaults filled in. @throws SshError `misuse` for values that are out of range */
export function rekeyLimits(given: Partial<RekeyLimits> = {}): RekeyLimits {
  checkOptions("rekey", given, ["bytes", "packets", "ms"]);
  const { bytes = Limits.rekeyBytes, packets = RfcLimits.rekeyPackets, ms = Limits.rekeyMs } = given;
  for (const [name, value] of Object.entries({ bytes, packets, ms })) expectNumber(`rekey.${name}`, value, 1);
  return { bytes: Math.min(bytes, RfcLimits.rekeyBytes), packets: Math.min(packets, RfcLimits.rekeyPackets), ms };
}

/** Checks lists of algorithms; with `all` none may be left out. @throws SshError `misuse` */
export function checkAlgorithms(given: Partial<Algorithms>, all = false): void {
  const names = ["kex", "hostKeys", "ciphers", "macs"] as const;
  checkOptions("algorithms", given, names);
  for (const name of names) {
    if (given[name] === undefined && !all) continue;
    expectList(
      `algorithms.${name} to list algorithm values`,
      given[name],
      (one: { name?: unknown }) => typeof one.name === "string",
    );
  }
}

/** Checks keepalive options. @throws SshError `misuse` */
export function checkKeepAlive(given: Partial<KeepAliveOptions>): void {
  checkOptions("keepAlive", given, ["intervalMs", "countMax"]);
  expectNumber("keepAlive.intervalMs", given.intervalMs);
  expectNumber("keepAlive.countMax", given.countMax, 1);
}

/** Checks that every entry is a login method. @throws SshError `misuse` */
export function checkAuth(auth: readonly AuthMethod[]): void {
  expectList("auth to hold methods such as password('…')", auth, ({ name, begin }: Partial<AuthMethod>) => {
    return typeof name === "string" && typeof begin === "function";
  });
}

/** Checks what `connect` is given. @throws SshError `misuse` */
export function checkClient(options: ClientOptions): void {
  checkConnection(options);
  expectType("user", options.user, "string");
  checkAuth(options.auth);
  expectType("hostKey", options.hostKey, "function");
  expectFunctions(options, ["onLogin", "onBanner", "onNotice"]);
}

/** Checks what `serve` is given. @throws SshError `misuse` */
export function checkServer(options: ServerOptions): void {
  checkConnection(options);
  checkHostKeys(options.hostKeys, options.algorithms.hostKeys);
  const { methods = [], attempts = 0, banner = "" } = options;
  expectList("methods to be a list of names", methods, (name) => typeof name === "string");
  expectType("authenticate", options.authenticate, "function");
  expectNumber("attempts", attempts);
  expectType("banner", banner, "string");
  expectFunctions(options, ["onLogin"]);
}

function checkConnection(options: ConnectionOptions): void {
  const { algorithms, random, software = "-", loginTimeoutMs = 1, keepAlive, windowBudget = 0 } = options;
  checkAlgorithms(algorithms, true);
  expectType("random", random, "function");
  expectText("software", software);
  expectNumber("loginTimeoutMs", loginTimeoutMs, 1);
  if (keepAlive !== undefined) checkKeepAlive(keepAlive);
  expectNumber("windowBudget", windowBudget);
  expectSignal(options.signal);
  expectFunctions(options, ["now", "onChannelOpen", "onGlobalRequest", "onDebug"]);
}

function expectFunctions<Options>(options: Options, names: readonly (keyof Options & string)[]): void {
  for (const name of names) if (options[name] !== undefined) expectType(name, options[name], "function");
}

/**
 * Checks that a server has a host key for one of the algorithms it offers: without one no client could be served.
 * @throws SshError `misuse`
 */
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

/** Makes something of options, and drops the pipe when they are wrong: nobody else will. */
export function orDrop<T>(pipe: BytePipe, make: () => T): T {
  try {
    return make();
  } catch (error) {
    pipe.abort(error instanceof Error ? error : undefined);
    throw error;
  }
}

/** The error of a call whose signal has fired. */
export function abortedError(signal: AbortSignal | undefined): SshError {
  return new SshError("aborted", "the call was aborted", { cause: signal?.reason });
}

/** Drops the pipe when the call was aborted before it began: nothing is sent. @throws SshError `aborted` */
export function refuseAborted(pipe: BytePipe, signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  const error = new SshError("aborted", "the login was aborted", { cause: signal.reason });
  pipe.abort(error);
  throw error;
}

/**
 * Refuses options that are not known, naming the nearest known one: a misspelt option must not be silently ignored.
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

/** How many letters of the two have no counterpart in the other, in whatever order and case. */
function distance(a: string, b: string): number {
  const left = b.toLowerCase().split("");
  let alone = 0;
  for (const letter of a.toLowerCase()) {
    const at = left.indexOf(letter);
    if (at < 0) alone++;
    else left.splice(at, 1);
  }
  return alone + left.length;
}
