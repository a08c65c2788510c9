/** Options of a TunnelHost, their defaults and checks. @module */
import type { Algorithms, Signer } from "@postern/crypto";
import { type CertificateSigner, parseRevokedKeys, type RevokedKeys } from "@postern/keys";
import {
  checkAlgorithms,
  checkHostKeys,
  checkKeepAlive,
  checkOptions,
  type PacketTap,
  rekeyLimits,
} from "@postern/ssh";
import { type Bytes, describeType, equal, expectNumber, expectType, ServerLimits, SshError } from "@postern/wire";
import type { GatewayPorts } from "./addresses.ts";
import { type Authorize, expectMethods } from "./authorize.ts";
import type { HostClient } from "./client-view.ts";
import type { HostPlatform } from "./platform.ts";

/** Penalties for sources of failed connections, as PerSourcePenalties of sshd_config(5). Times are in milliseconds. */
export interface PenaltyLimits {
  /** Penalty for a connection with a failed login. */
  readonly authFailMs: number;
  /** Penalty for a connection that never tried to log in. */
  readonly noAuthMs: number;
  /** Penalty for a connection that did not log in within `loginTimeoutMs`. */
  readonly graceMs: number;
  /** A source is refused once its penalties exceed this sum, until they have elapsed. */
  readonly thresholdMs: number;
  /** Upper bound of a source's penalties. */
  readonly maxMs: number;
  /** Delay of the answer to a source's first wrong password. It doubles with each further one, up to `maxDelayMs`. */
  readonly delayMs: number;
  readonly maxDelayMs: number;
  /** Number of sources that are remembered. */
  readonly maxSources: number;
}

/** The limits of a TunnelHost. */
export interface HostLimits {
  /** Number of clients. */
  readonly connections: number;
  /**
   * Number of clients that have not logged in, as MaxStartups of sshd_config(5): above `start`, `rate` percent of new
   * connections are dropped at random; the percentage grows until all are dropped at `full`.
   */
  readonly startups: { readonly start: number; readonly rate: number; readonly full: number };
  readonly penalties: PenaltyLimits | false;
  /** Milliseconds from the first byte until login. */
  readonly loginTimeoutMs: number;
  /** Refused login attempts per connection. */
  readonly attempts: number;
  /** Channels per connection: visitors and `direct-tcpip` together. */
  readonly channels: number;
  /** Visitors of one port at the same time, so that it cannot use all `channels`. Default: three quarters of them. */
  readonly visitorsPerForwarding: number;
  /**
   * Visitors of one connection from one address (IPv6: one /64) at the same time. Default: half of `channels`. Visitors
   * through a proxy on the same machine all count as from the proxy's address.
   */
  readonly visitorsPerSource: number;
  /** Ports per connection. */
  readonly forwardings: number;
  /** Session channels per connection. */
  readonly sessions: number;
  /** Bytes received from a client and not yet consumed, over all its channels. */
  readonly memory: number;
  /** The lowest port that clients may listen on. */
  readonly lowestPort: number;
  /** Milliseconds for connecting to a `direct-tcpip` target. */
  readonly targetTimeoutMs: number;
}

/** The option `limits`: any part of {@link HostLimits}. */
export type GivenHostLimits = Partial<Omit<HostLimits, "startups" | "penalties">> & {
  readonly startups?: Partial<HostLimits["startups"]>;
  readonly penalties?: Partial<PenaltyLimits> | false;
};

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
  /** Lists of algorithms, best first. Default: the platform's. */
  readonly algorithms?: Partial<Algorithms>;
  /**
   * Rekeys after so many bytes or packets in one direction, or so many milliseconds. Default: 1 GiB, 2^31, one hour.
   * For clients that fail when the server rekeys, set `{ bytes: Infinity, ms: Infinity }`; the limits that the ciphers
   * require remain: 64 GiB and 2^31 packets.
   */
  readonly rekey?: { readonly bytes?: number; readonly packets?: number; readonly ms?: number };
  /** A message that clients show before login (RFC 4252 section 5.4). */
  readonly banner?: string;
  /**
   * After `intervalMs` without data from a client, sends a keepalive; after `countMax` unanswered ones, disconnects the
   * client. Default: 30 s and 3. An interval of 0 disables keepalives.
   */
  readonly keepAlive?: { readonly intervalMs?: number; readonly countMax?: number };
  readonly limits?: GivenHostLimits;
  /**
   * Called for each client before its connection begins. Returns a tap, which sees every packet of that connection in
   * plain text, with passwords and all data. If it throws, the client is disconnected. An error of the tap itself does
   * not change the connection, and is reported as uncaught, which ends a Node.js process. Default: none.
   */
  readonly tap?: (client: HostClient) => PacketTap | undefined;
}

/** Options with the defaults filled in. */
export type CheckedHostOptions = Required<
  Omit<TunnelHostOptions, "algorithms" | "limits" | "keepAlive" | "banner" | "revokedKeys" | "tap">
> & {
  readonly revokedKeys: RevokedKeys | undefined;
  readonly algorithms: Algorithms;
  readonly banner: string | undefined;
  readonly tap: TunnelHostOptions["tap"];
  readonly keepAlive: { readonly intervalMs: number; readonly countMax: number };
  readonly limits: HostLimits;
};

/** Defaults, except of limits derived from `channels`. Startups and penalties are those of sshd. */
export const defaultHostLimits: Omit<HostLimits, VisitorLimit> & { readonly penalties: PenaltyLimits } = {
  connections: 4096,
  startups: { start: 10, rate: 30, full: 100 },
  penalties: {
    authFailMs: 5_000,
    noAuthMs: 1_000,
    graceMs: 10_000,
    thresholdMs: 15_000,
    maxMs: 600_000,
    delayMs: 50,
    maxDelayMs: 3_000,
    maxSources: 16_384,
  },
  loginTimeoutMs: 120_000,
  attempts: ServerLimits.authAttempts,
  channels: 512,
  forwardings: 64,
  sessions: 10,
  memory: 64 * 1024 * 1024,
  lowestPort: 1024,
  targetTimeoutMs: 30_000,
};

type VisitorLimit = "visitorsPerForwarding" | "visitorsPerSource";

const defaultKeepAlive = { intervalMs: 30_000, countMax: 3 };

const hostOptions = [
  "hostKeys",
  "authorize",
  "revokedKeys",
  "methods",
  "gatewayPorts",
  "algorithms",
  "rekey",
  "banner",
  "keepAlive",
  "limits",
  "tap",
] as const satisfies readonly (keyof TunnelHostOptions)[];

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
    algorithms: givenAlgorithms = {},
    rekey = {},
    banner,
    tap,
  } = given;
  rekeyLimits(rekey);
  const algorithms = checkAlgorithms(givenAlgorithms, defaults);
  checkHostKeys(hostKeys, algorithms.hostKeys);
  if (typeof authorize !== "function") {
    const got = describeType(authorize);
    throw new SshError("misuse", `expected authorize to be a function such as policy({ … }), got ${got}`);
  }
  if (!["no", "yes", "clientspecified"].includes(gatewayPorts)) {
    const got = typeof gatewayPorts === "string" ? `"${gatewayPorts}"` : describeType(gatewayPorts);
    throw new SshError("misuse", `expected gatewayPorts to be no, yes or clientspecified, got ${got}`);
  }
  if (banner !== undefined) expectType("banner", banner, "string");
  if (tap !== undefined) expectType("tap", tap, "function");
  const { methods = authorize.methods ?? ["publickey", "password"] } = given;
  // A policy without users has no methods.
  if (given.methods !== undefined || methods.length > 0) expectMethods("methods", methods);
  return {
    hostKeys: withPlainKeys(hostKeys),
    revokedKeys: revokedKeys === undefined ? undefined : parseRevokedKeys(revokedKeys, sha256),
    authorize,
    methods,
    gatewayPorts,
    rekey,
    banner,
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

function checkLimits(given: GivenHostLimits = {}): HostLimits {
  checkOptions("limits", given, [...Object.keys(defaultHostLimits), "visitorsPerForwarding", "visitorsPerSource"]);
  const { startups: givenStartups = {}, penalties: givenPenalties = {}, ...rest } = given;
  const { startups: defaultStartups, penalties: defaultPenalties, ...others } = defaultHostLimits;
  checkOptions("limits.startups", givenStartups, Object.keys(defaultStartups));
  const { channels = others.channels } = rest;
  expectNumber("limits.channels", channels);
  const visitors = { visitorsPerForwarding: Math.ceil(0.75 * channels), visitorsPerSource: Math.ceil(0.5 * channels) };
  const numbers = { ...others, ...visitors, ...rest };
  const startups = { ...defaultStartups, ...givenStartups };
  expectNumbers("limits", numbers);
  for (const name of ["loginTimeoutMs", "targetTimeoutMs"] as const) expectNumber(`limits.${name}`, numbers[name], 1);
  if (numbers.memory === Number.POSITIVE_INFINITY) {
    throw new SshError("misuse", "expected limits.memory to be a finite number of bytes, got Infinity");
  }
  expectNumbers("limits.startups", startups);
  if (givenPenalties === false) return { ...numbers, startups, penalties: false };
  checkOptions("limits.penalties", givenPenalties, Object.keys(defaultPenalties));
  const penalties: PenaltyLimits = { ...defaultPenalties, ...(givenPenalties as Partial<PenaltyLimits>) };
  expectNumbers("limits.penalties", penalties);
  return { ...numbers, startups, penalties };
}

function expectNumbers(what: string, values: object): void {
  for (const [name, value] of Object.entries(values)) expectNumber(`${what}.${name}`, value);
}
