/** What a TunnelHost is told, and the checking of it. @module */
import type { Algorithms, Signer } from "@postern/crypto";
import { checkAlgorithms, checkHostKeys, checkKeepAlive, checkOptions, rekeyLimits } from "@postern/ssh";
import { describeType, expectNumber, ServerLimits, SshError } from "@postern/wire";
import type { GatewayPorts } from "./addresses.ts";
import { expectMethods } from "./decision.ts";
import type { Authorize } from "./policy.ts";

/** How sources that behave badly are slowed down and kept out; see PerSourcePenalties of sshd_config(5). */
export interface PenaltyLimits {
  /** what an offence costs: a failed login, a connection that never tried, one that was not done in time */
  readonly authFailMs: number;
  readonly noAuthMs: number;
  readonly graceMs: number;
  /** above this sum a source is refused, until its time is over */
  readonly thresholdMs: number;
  readonly maxMs: number;
  /** how long the answer to a source's first wrong password waits; it doubles with each further one up to the other */
  readonly delayMs: number;
  readonly maxDelayMs: number;
  /** how many sources are remembered */
  readonly maxSources: number;
}

/** Every limit of a host. */
export interface HostLimits {
  /** clients at once */
  readonly connections: number;
  /** clients at once that have not logged in: from `start` on some are dropped at random, `rate` percent and more, at `full` all */
  readonly startups: { readonly start: number; readonly rate: number; readonly full: number };
  readonly penalties: PenaltyLimits | false;
  /** from the first byte to logged in */
  readonly loginTimeoutMs: number;
  /** refused attempts of one connection */
  readonly attempts: number;
  /** of one connection: visitors and `direct-tcpip` together; ports that are listened on; session channels */
  readonly channels: number;
  /**
   * visitors of one connection at once: of one of its ports, and from one address (IPv6: one /64), so that neither takes all `channels`;
   * default three quarters and half of `channels`. Visitors that come through a proxy on the host all count as from its address.
   */
  readonly visitorsPerForwarding: number;
  readonly visitorsPerSource: number;
  readonly forwardings: number;
  readonly sessions: number;
  /** bytes a client may have sent that nobody has taken yet, over all its channels */
  readonly memory: number;
  /** ports below it are refused */
  readonly lowestPort: number;
  /** to connect to a `direct-tcpip` target */
  readonly targetTimeoutMs: number;
}

/** What `limits` takes: parts of {@link HostLimits}. */
export type GivenHostLimits = Partial<Omit<HostLimits, "startups" | "penalties">> & {
  readonly startups?: Partial<HostLimits["startups"]>;
  readonly penalties?: Partial<PenaltyLimits> | false;
};

/** Options of a TunnelHost. */
export interface TunnelHostOptions {
  /** at least one, for one of the algorithms offered; see `readPrivateKey` */
  readonly hostKeys: readonly Signer[];
  /** who may log in and what they may do; see `policy` */
  readonly authorize: Authorize;
  /** login methods offered; default those of the policy, else `publickey` and `password` */
  readonly methods?: readonly string[];
  /** what addresses a forwarding may listen on, as in sshd_config(5); default `no`: loopback alone */
  readonly gatewayPorts?: GatewayPorts;
  /** lists of algorithm values, best first; default the platform's */
  readonly algorithms?: Partial<Algorithms>;
  /**
   * new keys after so many bytes or packets in one direction, or milliseconds; default 1 GiB, 2^31, one hour. For clients that do not survive our
   * rekey: `{ bytes: Infinity, ms: Infinity }`, which leaves the limits that the ciphers need, 64 GiB and 2^31 packets
   */
  readonly rekey?: { readonly bytes?: number; readonly packets?: number; readonly ms?: number };
  /** shown to clients before they log in (RFC 4252 section 5.4) */
  readonly banner?: string;
  /** clients that say nothing are asked whether they live, and dropped after so many questions; default 30 s, 3; 0 ms turns it off */
  readonly keepAlive?: { readonly intervalMs?: number; readonly countMax?: number };
  readonly limits?: GivenHostLimits;
}

/** Options with the defaults filled in. */
export type CheckedHostOptions = Required<Omit<TunnelHostOptions, "algorithms" | "limits" | "keepAlive" | "banner">> & {
  readonly algorithms: Algorithms;
  readonly banner: string | undefined;
  readonly keepAlive: { readonly intervalMs: number; readonly countMax: number };
  readonly limits: HostLimits;
};

/** The defaults of all limits but those that are parts of another; those about sources and startups are sshd's. */
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
  "methods",
  "gatewayPorts",
  "algorithms",
  "rekey",
  "banner",
  "keepAlive",
  "limits",
] as const satisfies readonly (keyof TunnelHostOptions)[];

/** @throws SshError `misuse` that names the option, what was expected and what came */
export function checkHostOptions(given: TunnelHostOptions, defaults: Algorithms): CheckedHostOptions {
  checkOptions("TunnelHost", given, hostOptions);
  const { hostKeys, authorize, gatewayPorts = "no", algorithms: givenAlgorithms = {}, rekey = {}, banner } = given;
  const { keepAlive: givenKeepAlive = {}, limits = {} } = given;
  rekeyLimits(rekey);
  checkAlgorithms(givenAlgorithms);
  const algorithms = {
    kex: givenAlgorithms.kex ?? defaults.kex,
    hostKeys: givenAlgorithms.hostKeys ?? defaults.hostKeys,
    ciphers: givenAlgorithms.ciphers ?? defaults.ciphers,
    macs: givenAlgorithms.macs ?? defaults.macs,
  };
  checkHostKeys(hostKeys, algorithms.hostKeys);
  if (typeof authorize !== "function") {
    const got = describeType(authorize);
    throw new SshError("misuse", `expected authorize to be a function such as policy({ … }), got ${got}`);
  }
  if (!["no", "yes", "clientspecified"].includes(gatewayPorts)) {
    const got = typeof gatewayPorts === "string" ? `"${gatewayPorts}"` : describeType(gatewayPorts);
    throw new SshError("misuse", `expected gatewayPorts to be no, yes or clientspecified, got ${got}`);
  }
  if (banner !== undefined && typeof banner !== "string") {
    throw new SshError("misuse", `expected banner to be a string, got ${describeType(banner)}`);
  }
  const { methods = authorize.methods ?? ["publickey", "password"] } = given;
  // A policy without users has no methods.
  if (given.methods !== undefined || methods.length > 0) expectMethods("methods", methods);
  checkOptions("keepAlive", givenKeepAlive, ["intervalMs", "countMax"]);
  const { intervalMs = defaultKeepAlive.intervalMs, countMax = defaultKeepAlive.countMax } = givenKeepAlive;
  const keepAlive = { intervalMs, countMax };
  checkKeepAlive(keepAlive);
  return {
    hostKeys,
    authorize,
    methods,
    gatewayPorts,
    rekey,
    banner,
    keepAlive,
    algorithms,
    limits: checkLimits(limits),
  };
}

function checkLimits(given: GivenHostLimits): HostLimits {
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
