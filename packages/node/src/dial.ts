/** Dialling all addresses of a host, the quickest wins: Happy Eyeballs (RFC 8305). @module */
import { lookup as dnsLookup } from "node:dns/promises";
import { connect, isIP, type Socket } from "node:net";
import { clearTimeout, setTimeout } from "node:timers";
import type { BytePipe } from "@postern/ssh";
import { RfcLimits, SshError } from "@postern/wire";
import { sharedReads } from "./shared-reads.ts";
import { socketPipe } from "./socket.ts";

/** RFC 8305 section 5: the Connection Attempt Delay. */
const attemptDelayMs = 250;
/** Loopback answers at once or never: `localhost` may be ::1, 127.0.0.1 or both, and the server on either. */
const loopbackDelayMs = 10;
const longestTimerMs = 2 ** 31 - 1;

function nothing(): void {}

/** One address of a host, as `node:dns` gives it. */
export interface HostAddress {
  readonly address: string;
  readonly family: number;
}

/** Finds the addresses of a host, best first. */
export type Lookup = (host: string) => Promise<readonly HostAddress[]>;

/** What {@link dial} is told. */
export interface DialOptions {
  /** a name or an IP address */
  readonly host: string;
  /** 1 to 65535 */
  readonly port: number;
  readonly signal?: AbortSignal | undefined;
  /** for the lookup and all attempts together, in milliseconds; none by default, so the system's limits apply */
  readonly timeoutMs?: number | undefined;
  /** the system's resolver by default */
  readonly lookup?: Lookup | undefined;
  /** true: the socket reads into a buffer that all share, and emits no `data`; it is for `socketPipe` alone */
  readonly sharedReads?: boolean | undefined;
}

/**
 * Connects to a host (RFC 8305): tries its addresses with the families in turn, 250 ms apart (10 ms on loopback) or as soon
 * as the one before has failed. The first connection wins, the others are dropped.
 *
 * @returns a connected socket that may half-close, with Nagle's algorithm off and nothing read from it
 * @throws SshError `connect` with every address and its reason, `timeout`, `aborted` with the signal's reason as the cause, `misuse`
 * @example
 * const socket = await dial({ host: "localhost", port: 8080, timeoutMs: 10_000 });
 */
export async function dial(options: DialOptions): Promise<Socket> {
  const { host, port, signal, timeoutMs, lookup = systemLookup, sharedReads = false } = options;
  checkPort(port, 1);
  if (timeoutMs !== undefined && !(timeoutMs > 0)) {
    throw new SshError("misuse", `expected a positive timeoutMs, got ${timeoutMs}`);
  }
  const race = new Race(host, port, sharedReads);
  const abort = () => race.lose(aborted(host, port, signal?.reason));
  if (signal?.aborted) throw aborted(host, port, signal.reason);
  signal?.addEventListener("abort", abort, { once: true });
  const deadline =
    timeoutMs === undefined ? undefined : setTimeout(() => race.expire(timeoutMs), Math.min(timeoutMs, longestTimerMs));
  try {
    const family = isIP(host);
    if (family !== 0) race.run([{ address: host, family }]);
    else {
      findAddresses(host, port, lookup).then(
        (addresses) => race.run(addresses),
        (error: SshError) => race.lose(error),
      );
    }
    return await race.result;
  } finally {
    clearTimeout(deadline);
    signal?.removeEventListener("abort", abort);
  }
}

/** {@link dial}, for a byte pipe: how this platform reaches a host or a target. */
export async function dialPipe(
  { host, port }: { readonly host: string; readonly port: number },
  { signal, timeoutMs }: Pick<DialOptions, "signal" | "timeoutMs">,
): Promise<BytePipe> {
  return socketPipe(await dial({ host, port, signal, timeoutMs, sharedReads: true }));
}

/** @throws SshError `misuse` unless the port is a number from `lowest` to 65535 */
export function checkPort(port: number, lowest: 0 | 1): void {
  if (Number.isInteger(port) && port >= lowest && port <= RfcLimits.maxPort) return;
  throw new SshError("misuse", `expected a port from ${lowest} to ${RfcLimits.maxPort}, got ${port}`);
}

/** `host:port`, with brackets around an IPv6 address (RFC 3986 section 3.2.2). */
export function hostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The system's short name of an error, or its message. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return (error as NodeJS.ErrnoException).code ?? error.message;
}

/** The attempts of one call. Each ends as a socket that won, failed, or was dropped. */
class Race {
  readonly result: Promise<Socket>;
  readonly #host: string;
  readonly #port: number;
  readonly #sharedReads: boolean;
  readonly #running = new Map<Socket, HostAddress>();
  readonly #failed: { readonly at: HostAddress; readonly error: Error }[] = [];
  #waiting: HostAddress[] = [];
  #delayMs = attemptDelayMs;
  #next: NodeJS.Timeout | undefined;
  #over = false;
  #resolve: (socket: Socket) => void = () => {};
  #reject: (error: SshError) => void = () => {};

  constructor(host: string, port: number, shared: boolean) {
    this.#host = host;
    this.#port = port;
    this.#sharedReads = shared;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  run(addresses: readonly HostAddress[]): void {
    if (this.#over) return;
    this.#waiting = interleave(addresses);
    const near = isLocalhost(this.#host) || addresses.every(isLoopback);
    this.#delayMs = near ? loopbackDelayMs : attemptDelayMs;
    this.#attempt();
  }

  lose(error: SshError): void {
    if (!this.#over) this.#reject(error);
    this.#finish(undefined);
  }

  expire(timeoutMs: number): void {
    const tried = [...this.#outcomes(), ...[...this.#running.values()].map((at) => `${this.#name(at)} no answer`)];
    const got = tried.length === 0 ? "no address" : tried.join(", ");
    this.lose(
      new SshError(
        "timeout",
        `expected a connection to ${hostPort(this.#host, this.#port)} within ${timeoutMs} ms, got ${got}`,
      ),
    );
  }

  #attempt(): void {
    clearTimeout(this.#next);
    const at = this.#waiting.shift();
    if (at === undefined) {
      if (this.#running.size === 0) this.lose(this.#failure());
      return;
    }
    const reads = this.#sharedReads ? sharedReads() : undefined;
    const onread = reads && { onread: reads.onread };
    const socket = connect({ host: at.address, port: this.#port, allowHalfOpen: true, noDelay: true, ...onread });
    reads?.of(socket);
    this.#running.set(socket, at);
    socket.pause();
    // It stays: a socket nobody has taken yet must not end the process with an unhandled 'error'.
    socket.on("error", nothing);
    const failed = (error: Error): void => this.#attemptFailed(socket, error);
    socket.once("error", failed);
    socket.once("connect", () => {
      socket.off("error", failed);
      this.#finish(socket);
    });
    if (this.#waiting.length > 0) this.#next = setTimeout(() => this.#attempt(), this.#delayMs);
  }

  #attemptFailed(socket: Socket, error: Error): void {
    const at = this.#running.get(socket);
    if (at === undefined) return;
    this.#running.delete(socket);
    this.#failed.push({ at, error });
    // RFC 8305 section 5: the next attempt need not wait when the one before has failed.
    this.#attempt();
  }

  #finish(winner: Socket | undefined): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#next);
    const losers = [...this.#running.keys()].filter((socket) => socket !== winner);
    this.#running.clear();
    for (const socket of losers) socket.destroy();
    if (winner) this.#resolve(winner);
  }

  #outcomes(): string[] {
    return this.#failed.map(({ at, error }) => `${this.#name(at)} ${reasonOf(error)}`);
  }

  #failure(): SshError {
    const got = this.#outcomes().join(", ");
    const cause = new AggregateError(this.#failed.map(({ error }) => error));
    return new SshError("connect", `expected a connection to ${hostPort(this.#host, this.#port)}, got ${got}`, {
      cause,
    });
  }

  #name(at: HostAddress): string {
    return hostPort(at.address, this.#port);
  }
}

async function findAddresses(host: string, port: number, lookup: Lookup): Promise<readonly HostAddress[]> {
  const expected = `expected an address to reach ${hostPort(host, port)}`;
  let addresses: readonly HostAddress[];
  try {
    addresses = await lookup(host);
  } catch (cause) {
    throw new SshError("connect", `${expected}, got ${reasonOf(cause)}`, { cause });
  }
  if (addresses.length === 0) throw new SshError("connect", `${expected}, got none`);
  return addresses;
}

/** RFC 8305 section 4: the families in turn, in the resolver's order otherwise. */
function interleave(addresses: readonly HostAddress[]): HostAddress[] {
  const first = addresses.filter(({ family }) => family === addresses[0]?.family);
  const second = addresses.filter((at) => !first.includes(at));
  const mixed: HostAddress[] = [];
  for (let i = 0; i < addresses.length; i++) {
    for (const at of [first[i], second[i]]) if (at) mixed.push(at);
  }
  return mixed;
}

/** RFC 6761 section 6.3: the names below it are loopback too. */
function isLocalhost(host: string): boolean {
  return /^(?:.+\.)?localhost\.?$/i.test(host);
}

function isLoopback({ address }: HostAddress): boolean {
  return address === "::1" || /^(?:::ffff:)?127\./i.test(address);
}

function systemLookup(host: string): Promise<readonly HostAddress[]> {
  return dnsLookup(host, { all: true, verbatim: true });
}

function aborted(host: string, port: number, cause: unknown): SshError {
  return new SshError("aborted", `the connection to ${hostPort(host, port)} was aborted`, { cause });
}
