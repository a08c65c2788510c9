/** The limits of a TunnelHost, their defaults and checks. @module */
import { checkOptions } from "@postern/ssh";
import { expectNumber, expectType, ServerLimits, SshError } from "@postern/wire";
import { AddressList, defaultSourceBits, type SourceBits } from "./ip.ts";

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
  /** Addresses and networks without penalties, separated by commas, as PerSourcePenaltyExemptList. Default: none. */
  readonly exempt: string;
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
  /** Clients of one source that have not logged in, as PerSourceMaxStartups of sshd_config(5). Default: no limit. */
  readonly startupsPerSource: number;
  /**
   * Bits of an address that make a source for `startupsPerSource` and `penalties`, as PerSourceNetBlockSize of
   * sshd_config(5).
   */
  readonly sourceBits: SourceBits;
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
  /** Connections of one user that have logged in. Default: half of `connections`. */
  readonly connectionsPerUser: number;
  /** Ports of one user over all connections. */
  readonly forwardingsPerUser: number;
  /** Channels of one user over all connections. */
  readonly channelsPerUser: number;
  /** Session channels per connection. */
  readonly sessions: number;
  /** Bytes received from a client and not yet consumed, over all its channels. */
  readonly memory: number;
  /**
   * The same over all clients, with 2 MiB for each client: output that it does not read. One user gets a quarter of it
   * at most. Once it is used up, new clients and channels are refused; before that, windows become smaller. The default
   * has room for 4096 clients, and for 1024 of one user.
   */
  readonly totalMemory: number;
  /** The lowest port that clients may listen on. */
  readonly lowestPort: number;
  /** Milliseconds for connecting to a `direct-tcpip` target. */
  readonly targetTimeoutMs: number;
}

/** The name of a limit. */
export type LimitName = keyof HostLimits;

/** The option `limits`: any part of {@link HostLimits}. */
export type GivenHostLimits = Partial<Omit<HostLimits, "startups" | "penalties" | "sourceBits">> & {
  readonly sourceBits?: Partial<SourceBits>;
  readonly startups?: Partial<HostLimits["startups"]>;
  readonly penalties?: Partial<PenaltyLimits> | false;
};

/** Defaults, except of limits derived from `channels`. Startups and penalties are those of sshd. */
export const defaultHostLimits: Omit<HostLimits, DerivedLimit> & { readonly penalties: PenaltyLimits } = {
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
    exempt: "",
  },
  startupsPerSource: Number.POSITIVE_INFINITY,
  sourceBits: defaultSourceBits,
  loginTimeoutMs: 120_000,
  attempts: ServerLimits.authAttempts,
  channels: 512,
  forwardings: 64,
  forwardingsPerUser: 4096,
  channelsPerUser: 4096,
  sessions: 10,
  memory: 64 * 1024 * 1024,
  totalMemory: 8 * 1024 * 1024 * 1024,
  lowestPort: 1024,
  targetTimeoutMs: 30_000,
};

const derivedLimits = ["visitorsPerForwarding", "visitorsPerSource", "connectionsPerUser"] as const;
type DerivedLimit = (typeof derivedLimits)[number];

/** Fills in the defaults. @throws SshError `misuse` for an unknown limit or a value out of range */
export function checkLimits(given: GivenHostLimits = {}): HostLimits {
  checkLimitNames(given);
  const { startups: givenStartups = {}, penalties: givenPenalties = {}, sourceBits: givenBits = {}, ...rest } = given;
  const { startups: defaultStartups, penalties: defaultPenalties, sourceBits: bits, ...others } = defaultHostLimits;
  checkOptions("limits.startups", givenStartups, Object.keys(defaultStartups));
  const sourceBits = readSourceBits(givenBits, bits);
  const { channels = others.channels, connections = others.connections } = rest;
  expectNumbers("limits", { channels, connections });
  const derived: Pick<HostLimits, DerivedLimit> = {
    visitorsPerForwarding: Math.ceil(0.75 * channels),
    visitorsPerSource: Math.ceil(0.5 * channels),
    connectionsPerUser: Math.ceil(0.5 * connections),
  };
  const numbers = { ...others, ...derived, ...rest };
  const startups = { ...defaultStartups, ...givenStartups };
  expectNumbers("limits", numbers);
  for (const name of ["loginTimeoutMs", "targetTimeoutMs"] as const) expectNumber(`limits.${name}`, numbers[name], 1);
  if (numbers.memory === Number.POSITIVE_INFINITY) {
    throw new SshError("misuse", "expected limits.memory to be a finite number of bytes, got Infinity");
  }
  expectNumbers("limits.startups", startups);
  if (givenPenalties === false) return { ...numbers, startups, sourceBits, penalties: false };
  checkOptions("limits.penalties", givenPenalties, Object.keys(defaultPenalties));
  const penalties: PenaltyLimits = { ...defaultPenalties, ...(givenPenalties as Partial<PenaltyLimits>) };
  const { exempt, ...times } = penalties;
  expectNumbers("limits.penalties", times);
  expectType("limits.penalties.exempt", exempt, "string");
  try {
    addressListOf(exempt);
  } catch (cause) {
    throw new SshError("misuse", `limits.penalties.exempt: ${(cause as Error).message}`, { cause });
  }
  return { ...numbers, startups, sourceBits, penalties };
}

/** Returns the addresses of `exempt`, or `undefined` for an empty list. @throws SshError `key` if it is malformed */
export function addressListOf(list: string): AddressList | undefined {
  return list === "" ? undefined : new AddressList(list, true);
}

function readSourceBits(given: Partial<SourceBits>, defaults: SourceBits): SourceBits {
  checkOptions("limits.sourceBits", given, Object.keys(defaults));
  const bits = { ...defaults, ...given };
  expectNumbers("limits.sourceBits", bits);
  if (bits.ipv4 > 32 || bits.ipv6 > 128)
    throw new SshError("misuse", `expected limits.sourceBits of at most 32 and 128, got ${bits.ipv4} and ${bits.ipv6}`);
  return bits;
}

/** @throws SshError `misuse` for an unknown limit */
export function checkLimitNames(given: GivenHostLimits): void {
  checkOptions("limits", given, [...Object.keys(defaultHostLimits), ...derivedLimits]);
}

function expectNumbers(what: string, values: object): void {
  for (const [name, value] of Object.entries(values)) expectNumber(`${what}.${name}`, value);
}
