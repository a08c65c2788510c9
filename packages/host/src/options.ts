/** Options of a TunnelHost, their defaults and checks. @module */
import type { Algorithms, Signer } from "@postern/crypto";
import { type CertificateSigner, parseRevokedKeys, type RevokedKeys } from "@postern/keys";
import {
  checkAlgorithms,
  checkHostKeys,
  checkKeepAlive,
  checkOptions,
  checkVersionAddendum,
  type Log,
  type PacketTap,
  rekeyLimits,
} from "@postern/ssh";
import { type Bytes, describeType, equal, expectType, SshError } from "@postern/wire";
import { expectGatewayPorts, type GatewayPorts } from "./addresses.ts";
import { type Authorize, expectMethods } from "./authorize.ts";
import type { HostClient, HostForwarding } from "./client-view.ts";
import { checkLimitNames, checkLimits, type GivenHostLimits, type HostLimits } from "./limits.ts";
import type { HostPlatform } from "./platform.ts";
import type { TakeoverPolicy } from "./takeover.ts";

/** Options of a TunnelHost. */
export interface TunnelHostOptions {
  /**
   * Host keys, at least one that an offered algorithm can use; see `readPrivateKey`. A key with a host certificate, of
   * `createCertificateSigner`, is also offered without it.
   */
  readonly hostKeys: readonly Signer[];
  /** Decides who may log in, and with which permissions; see `policy`. */
  readonly authorize: Authorize;
  /**
   * Keys, CAs and certificates that may not log in, whatever `authorize` decides: text with a public key per line, or
   * the bytes of a KRL of `ssh-keygen -k`, as RevokedKeys of sshd_config(5).
   */
  readonly revokedKeys?: string | Bytes;
  /** Login methods to offer. Default: `authorize.methods`, otherwise `publickey` and `password`. */
  readonly methods?: readonly string[];
  /** The addresses that a forwarding may listen on, as in sshd_config(5). Default: `no`, which means loopback. */
  readonly gatewayPorts?: GatewayPorts;
  /**
   * The mode of the UNIX sockets that clients listen on, as StreamLocalBindMask of sshd_config(5) leaves it. Default:
   * 0o600, so that only the user of this process may connect.
   */
  readonly socketMode?: number;
  /** Lists of algorithms, best first. Default: the platform's. */
  readonly algorithms?: Partial<Algorithms>;
  /**
   * Rekeys after so many bytes or packets in one direction, or so many milliseconds. Default: 1 GiB, 2^31, one hour.
   * For clients that fail when the server rekeys, set `{ bytes: Infinity, ms: Infinity }`; the limits that the ciphers
   * require remain: 64 GiB and 2^31 packets.
   */
  readonly rekey?: { readonly bytes?: number; readonly packets?: number; readonly ms?: number };
  /**
   * The algorithms that users may sign with, best first, as PubkeyAcceptedAlgorithms of sshd_config(5). Default: those
   * of `algorithms.hostKeys`.
   */
  readonly userKeys?: Algorithms["hostKeys"] | undefined;
  /** Comments after the software version that the host sends first, as VersionAddendum of sshd_config(5). */
  readonly versionAddendum?: string | undefined;
  /** A message that clients show before login (RFC 4252 section 5.4). */
  readonly banner?: string;
  /**
   * After `intervalMs` without data from a client, sends a keepalive; after `countMax` unanswered ones, disconnects the
   * client. Default: 30 s and 3. An interval of 0 disables keepalives.
   */
  readonly keepAlive?: { readonly intervalMs?: number; readonly countMax?: number };
  readonly limits?: GivenHostLimits;
  /**
   * Whose new connection gets a port that a silent connection holds: one of the same `user`, or only one of the same
   * user and `key`. The silent connection is asked (`keepalive@openssh.com`), and disconnected if nothing comes back
   * within a second. If it answers, the new request is refused; also while it has output to read, behind which its
   * answer may wait. `user` is meant for names that one person holds. `false`: ports are never taken over. Default:
   * `user`.
   */
  readonly takeover?: TakeoverPolicy | false;
  /**
   * Returns the public URL of a forwarding. Sessions print it, and it becomes `forwarding.url`. Default: none. If it
   * throws, there is none.
   */
  readonly url?: ((forwarding: HostForwarding, client: HostClient) => string | undefined) | undefined;
  /** Receives a record for each event, with level, message and fields. It never holds a secret. Default: none. */
  readonly log?: Log | undefined;
  /**
   * Called for each client before its connection begins. Returns a tap, which sees every packet of that connection in
   * plain text, with passwords and all data. If it throws, the client is disconnected. An error of the tap itself does
   * not change the connection, and is reported as uncaught, which ends a Node.js process. Default: none.
   */
  readonly tap?: (client: HostClient) => PacketTap | undefined;
}

/** The options that may be `undefined`. */
type OptionalOption = "banner" | "tap" | "url" | "log" | "userKeys" | "versionAddendum";

/** Options with the defaults filled in. */
export type CheckedHostOptions = Required<
  Omit<TunnelHostOptions, "algorithms" | "limits" | "keepAlive" | "revokedKeys" | OptionalOption>
> & { readonly [Name in OptionalOption]: TunnelHostOptions[Name] | undefined } & {
  readonly revokedKeys: RevokedKeys | undefined;
  readonly algorithms: Algorithms;
  readonly keepAlive: { readonly intervalMs: number; readonly countMax: number };
  readonly limits: HostLimits;
};

const defaultKeepAlive = { intervalMs: 30_000, countMax: 3 };

const hostOptions = [
  "hostKeys",
  "authorize",
  "revokedKeys",
  "methods",
  "gatewayPorts",
  "socketMode",
  "algorithms",
  "userKeys",
  "rekey",
  "versionAddendum",
  "banner",
  "keepAlive",
  "limits",
  "takeover",
  "url",
  "log",
  "tap",
] as const satisfies readonly (keyof TunnelHostOptions)[];

/** The options that `reload` may not change. */
type FixedOption = "tap" | "log";

/** Options of `reload`: any of a TunnelHost's, except `tap` and `log`. `undefined` stands for the default. */
export type ReloadOptions = {
  readonly [Name in keyof Omit<TunnelHostOptions, FixedOption | "limits">]?: TunnelHostOptions[Name] | undefined;
} & {
  readonly limits?: { readonly [Name in keyof GivenHostLimits]?: GivenHostLimits[Name] | undefined } | undefined;
};

/** Returns the options after a reload. `limits` is merged, any other option is replaced. @throws SshError `misuse` */
export function reloadedOptions(current: TunnelHostOptions, changed: ReloadOptions): TunnelHostOptions {
  checkOptions(
    "reload",
    changed,
    hostOptions.filter((name) => name !== "tap" && name !== "log"),
  );
  const { limits, ...others } = changed;
  if (limits !== undefined) checkLimitNames(limits as GivenHostLimits);
  const isReset = "limits" in changed && limits === undefined;
  const merged = withoutUndefined({ ...current.limits, ...limits }) as GivenHostLimits;
  const options = { ...current, ...others, limits: isReset ? {} : merged };
  return withoutUndefined(options) as unknown as TunnelHostOptions;
}

function withoutUndefined(given: object): object {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** @throws SshError `misuse` that names the option, the expected value and the actual one */
export function checkHostOptions(
  given: TunnelHostOptions,
  { algorithms: defaults, sha256 }: Pick<HostPlatform, "algorithms" | "sha256">,
): CheckedHostOptions {
  checkOptions("TunnelHost", given, hostOptions);
  const {
    hostKeys,
    revokedKeys,
    authorize,
    gatewayPorts = "no",
    socketMode = 0o600,
    algorithms: givenAlgorithms = {},
    rekey = {},
    banner,
    takeover = "user",
    userKeys,
    versionAddendum,
    url,
    log,
    tap,
  } = given;
  rekeyLimits(rekey);
  const algorithms = checkAlgorithms(givenAlgorithms, defaults);
  checkHostKeys(hostKeys, algorithms.hostKeys);
  if (typeof authorize !== "function") {
    const got = describeType(authorize);
    throw new SshError("misuse", `expected authorize to be a function such as policy({ … }), got ${got}`);
  }
  expectGatewayPorts(gatewayPorts);
  if (!Number.isInteger(socketMode) || socketMode < 0 || socketMode > 0o777) {
    throw new SshError("misuse", `expected socketMode to be from 0 to 0o777, got ${describeType(socketMode)}`);
  }
  if (banner !== undefined) expectType("banner", banner, "string");
  if (takeover !== "user" && takeover !== "key" && takeover !== false) {
    throw new SshError("misuse", `expected takeover to be "user", "key" or false, got ${describeType(takeover)}`);
  }
  if (userKeys !== undefined) checkAlgorithms({ hostKeys: userKeys }, defaults);
  if (versionAddendum !== undefined) checkVersionAddendum(versionAddendum);
  for (const [name, value] of Object.entries({ url, log, tap }))
    if (value !== undefined) expectType(name, value, "function");
  const { methods = authorize.methods ?? ["publickey", "password"] } = given;
  // A policy without users has no methods.
  if (given.methods !== undefined || methods.length > 0) expectMethods("methods", methods);
  return {
    hostKeys: withPlainKeys(hostKeys),
    revokedKeys: revokedKeys === undefined ? undefined : parseRevokedKeys(revokedKeys, sha256),
    authorize,
    methods,
    gatewayPorts,
    socketMode,
    rekey,
    banner,
    takeover,
    userKeys,
    versionAddendum,
    url,
    log,
    tap,
    keepAlive: checkKeepAlive(given.keepAlive, defaultKeepAlive),
    algorithms,
    limits: checkLimits(given.limits),
  };
}

/** Adds the plain key of each certificate. @throws SshError `misuse` for a user certificate */
function withPlainKeys(hostKeys: readonly Signer[]): readonly Signer[] {
  const plain = hostKeys.flatMap((signer) => {
    if (!isCertificateSigner(signer)) return [];
    const { type } = signer.certificate;
    if (type === "host") return [signer.plain];
    throw new SshError("misuse", `expected hostKeys to have host certificates, got a ${type} certificate`);
  });
  return [...hostKeys, ...plain.filter((key) => !hostKeys.some(({ publicKey }) => equal(publicKey, key.publicKey)))];
}

function isCertificateSigner(signer: Signer): signer is CertificateSigner {
  return "certificate" in signer && "plain" in signer;
}
