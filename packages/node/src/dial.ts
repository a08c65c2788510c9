/**
 * Connects to the first address of a host that answers: Happy Eyeballs (RFC 8305).
 * Longer than 300 lines, because all attempts and TLS over the winner share one deadline and one end.
 * @module
 */
import { lookup as dnsLookup } from "node:dns/promises";
import { connect, isIP, type Socket } from "node:net";
import { clearTimeout, setTimeout } from "node:timers";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { type Address, type BytePipe, hostPort, onAbort } from "@postern/ssh";
import type { Dial, TcpTarget } from "@postern/tunnel";
import {
  type Bytes,
  expectNumber,
  expectPort,
  expectSignal,
  expectText,
  expectType,
  maxTimerMs,
  SshError,
} from "@postern/wire";
import { connectPiped, pipeOf, socketPipe } from "./socket.ts";

/** RFC 8305 section 5: the Connection Attempt Delay. */
const attemptDelayMs = 250;
/**
 * Loopback answers at once or never. `localhost` may be ::1, 127.0.0.1 or both, and the server may listen on either.
 */
const loopbackDelayMs = 10;

/** One address of a host, as `node:dns` returns it. */
export interface HostAddress {
  readonly address: string;
  readonly family: number;
}

/** Finds the addresses of a host, best first. */
export type Lookup = (host: string) => Promise<readonly HostAddress[]>;

/** Options of {@link dialPipe}. */
export interface DialOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for the lookup and all attempts together. Default: the limits of the system. */
  readonly timeoutMs?: number | undefined;
  /** Default: the system's resolver. */
  readonly lookup?: Lookup | undefined;
  /** An IP address of this machine to connect from. Default: the system chooses. */
  readonly localAddress?: string | undefined;
  /** Called with the address that was connected, and our own, before the pipe is returned. */
  readonly onConnected?: ((address: HostAddress, local: Address) => void) | undefined;
}

/**
 * Connects to a name or an IP address (RFC 8305). Attempts alternate between the address families. The next one starts
 * after 250 ms (10 ms on loopback), or when the previous one fails. The first connection wins, the others are closed.
 *
 * @returns the byte pipe of a connected socket
 * @throws SshError `connect` with every address and its reason, `timeout`, `aborted` with the signal's reason as the
 *   cause, `misuse`
 * @example
 * const pipe = await dialPipe({ host: "localhost", port: 8080 }, { timeoutMs: 10_000 });
 */
export function dialPipe(target: Address, options: DialOptions): Promise<BytePipe> {
  return new Promise((connected, failed) => race(target, options, (socket) => connected(pipeOf(socket)), failed));
}

/** {@link dialPipe} with callbacks, as a tunnel uses it for its server and its targets. */
export const dialWithCallbacks: Dial = (target, timeoutMs, connected, failed) =>
  race(target, { timeoutMs }, (socket) => connected(pipeOf(socket)), failed);

/** Dials a TCP target of a forwarding, with TLS if it asks for it. */
export const dialTcpTarget: Dial<TcpTarget> = (target, timeoutMs, connected, failed, preface) => {
  const { tls } = target;
  const options = { timeoutMs, tls: tls === true ? {} : (tls as ConnectionOptions | undefined), preface };
  const pipe = tls === undefined ? pipeOf : socketPipe;
  return race(target, options, (socket) => connected(pipe(socket)), failed);
};

/** Options of a race, and the steps of its winner before it counts as connected. */
interface RaceOptions extends DialOptions {
  /** TLS over the winner, whose socket is then no {@link pipeOf} one */
  readonly tls?: ConnectionOptions | undefined;
  /** bytes to send at once */
  readonly preface?: Bytes | undefined;
}

function race(
  target: Address,
  options: RaceOptions,
  connected: (winner: Socket) => void,
  failed: (error: SshError) => void,
): Race {
  const { host, port } = target;
  const { signal, timeoutMs, lookup, localAddress, onConnected } = options;
  expectText("host", host);
  expectPort("port", port, 1);
  if (timeoutMs !== undefined) expectNumber("timeoutMs", timeoutMs, 1);
  if (lookup !== undefined) expectType("lookup", lookup, "function");
  if (localAddress !== undefined) expectText("localAddress", localAddress);
  if (onConnected !== undefined) expectType("onConnected", onConnected, "function");
  expectSignal(signal);
  if (signal?.aborted) throw aborted(host, port, signal.reason);
  const attempts = new Race({ host, port }, connected, failed);
  attempts.start(options);
  return attempts;
}

/** Returns the system's code of an error, or its message. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return (error as NodeJS.ErrnoException).code ?? error.message;
}

interface Attempt {
  readonly at: HostAddress;
  readonly socket: Socket;
}

/** The attempts of one call. */
class Race {
  readonly #target: Address;
  readonly #connected: (winner: Socket) => void;
  readonly #onFailure: (error: SshError) => void;
  #running: Attempt[] = [];
  readonly #failed: { readonly at: HostAddress; readonly error: Error }[] = [];
  #waiting: HostAddress[] = [];
  #delayMs = attemptDelayMs;
  #next: NodeJS.Timeout | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #stopListening: (() => void) | undefined;
  #isOver = false;
  #tls: ConnectionOptions | undefined;
  #preface: Bytes | undefined;
  #localAddress: string | undefined;
  #onConnected: DialOptions["onConnected"];

  constructor(target: Address, connected: (winner: Socket) => void, failed: (error: SshError) => void) {
    this.#target = target;
    this.#connected = connected;
    this.#onFailure = failed;
  }

  start({ signal, timeoutMs, lookup = systemLookup, localAddress, onConnected, tls, preface }: RaceOptions): void {
    this.#onConnected = onConnected;
    this.#localAddress = localAddress;
    this.#tls = tls;
    this.#preface = preface;
    const { host, port } = this.#target;
    if (signal !== undefined) this.#stopListening = onAbort(signal, () => this.abort(signal.reason));
    if (timeoutMs !== undefined) {
      this.#deadline = setTimeout(() => this.#expire(timeoutMs), Math.min(timeoutMs, maxTimerMs));
    }
    const family = isIP(host);
    if (family !== 0) this.#run([{ address: host, family }]);
    else {
      findAddresses(host, port, lookup).then(
        (addresses) => this.#run(addresses),
        (error: SshError) => this.#fail(error),
      );
    }
  }

  abort(reason: unknown): void {
    this.#fail(aborted(this.#target.host, this.#target.port, reason));
  }

  #run(addresses: readonly HostAddress[]): void {
    if (this.#isOver) return;
    this.#waiting = interleave(addresses);
    const isLocal = isLocalhost(this.#target.host) || addresses.every(isLoopback);
    this.#delayMs = isLocal ? loopbackDelayMs : attemptDelayMs;
    this.#attempt();
  }

  #fail(error: SshError): void {
    if (this.#isOver) return;
    this.#finish(undefined);
    this.#onFailure(error);
  }

  #expire(timeoutMs: number): void {
    const tried = [...this.#outcomes(), ...this.#running.map(({ at }) => `${this.#name(at)} no answer`)];
    const got = tried.length === 0 ? "no address" : tried.join(", ");
    this.#fail(new SshError("timeout", `${this.#expected()} within ${timeoutMs} ms, got ${got}`));
  }

  #attempt(): void {
    clearTimeout(this.#next);
    const at = this.#waiting.shift();
    if (at === undefined) {
      if (this.#running.length === 0) this.#fail(this.#failure());
      return;
    }
    const { port } = this.#target;
    const open = this.#tls === undefined ? connectPiped : connect;
    const localAddress = this.#localAddress;
    const socket = open({
      host: at.address,
      port,
      allowHalfOpen: true,
      noDelay: true,
      ...(localAddress !== undefined && { localAddress }),
    });
    const attempt = { at, socket };
    this.#running.push(attempt);
    const connected = (): void => {
      socket.off("connect", connected).off("error", failed);
      if (this.#preface !== undefined) socket.write(this.#preface);
      this.#onConnected?.(at, { host: socket.localAddress ?? "", port: socket.localPort ?? 0 });
      if (this.#tls === undefined) this.#finish(socket);
      else this.#secure(attempt, this.#tls);
    };
    const failed = (error: Error): void => {
      socket.off("connect", connected).off("error", failed);
      this.#attemptFailed(attempt, error);
    };
    socket.on("connect", connected).on("error", failed);
    if (this.#waiting.length > 0) this.#next = setTimeout(() => this.#attempt(), this.#delayMs);
  }

  #attemptFailed(attempt: Attempt, error: Error): void {
    if (this.#isOver) return;
    this.#running = this.#running.filter((one) => one !== attempt);
    this.#failed.push({ at: attempt.at, error });
    // RFC 8305 section 5: the next attempt starts as soon as the previous one fails.
    this.#attempt();
  }

  /** The TLS handshake on a socket that has won the race; the other attempts end. */
  #secure(attempt: Attempt, tls: ConnectionOptions): void {
    clearTimeout(this.#next);
    this.#waiting = [];
    for (const { socket } of this.#running) if (socket !== attempt.socket) socket.destroy();
    const { host } = this.#target;
    let secure: TLSSocket;
    try {
      secure = connectTls({
        ...(isIP(host) === 0 ? { servername: host } : { host }),
        ...tls,
        socket: attempt.socket,
      });
    } catch (cause) {
      attempt.socket.on("error", () => {});
      const message = `${this.#expected()}, got wrong options of tls: ${reasonOf(cause)}`;
      return this.#fail(new SshError("misuse", message, { cause }));
    }
    secure.allowHalfOpen = true;
    this.#running = [{ ...attempt, socket: secure }];
    const connected = (): void => {
      secure.off("secureConnect", connected).off("error", failed);
      this.#finish(secure);
    };
    const failed = (error: Error): void => {
      secure.off("secureConnect", connected).off("error", failed);
      // Errors that follow have no receiver.
      secure.on("error", () => {});
      this.#failed.push({ at: attempt.at, error });
      this.#fail(this.#failure());
    };
    secure.on("secureConnect", connected).on("error", failed);
  }

  #finish(winner: Socket | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#next);
    clearTimeout(this.#deadline);
    this.#stopListening?.();
    for (const { socket } of this.#running) if (socket !== winner) socket.destroy();
    if (winner) this.#connected(winner);
  }

  #outcomes(): string[] {
    return this.#failed.map(({ at, error }) => `${this.#name(at)} ${reasonOf(error)}`);
  }

  #failure(): SshError {
    const got = this.#outcomes().join(", ");
    const cause = new AggregateError(this.#failed.map(({ error }) => error));
    return new SshError("connect", `${this.#expected()}, got ${got}`, { cause });
  }

  #expected(): string {
    return `expected a connection to ${hostPort(this.#target)}`;
  }

  #name(at: HostAddress): string {
    return hostPort({ host: at.address, port: this.#target.port });
  }
}

async function findAddresses(host: string, port: number, lookup: Lookup): Promise<readonly HostAddress[]> {
  const expected = `expected an address to reach ${hostPort({ host, port })}`;
  let addresses: readonly HostAddress[];
  try {
    addresses = await lookup(host);
  } catch (cause) {
    throw new SshError("connect", `${expected}, got ${reasonOf(cause)}`, { cause });
  }
  // Without an address, node:net would connect to localhost.
  if (!Array.isArray(addresses) || !addresses.every((at: HostAddress | null) => isIP(at?.address ?? "") !== 0)) {
    throw new SshError("misuse", `${expected}: expected lookup to return IP addresses, got something else`);
  }
  if (addresses.length === 0) throw new SshError("connect", `${expected}, got none`);
  return addresses;
}

/** Alternates between the families, otherwise in the resolver's order (RFC 8305 section 4). */
function interleave(addresses: readonly HostAddress[]): HostAddress[] {
  if (addresses.length === 1) return [...addresses];
  const first = addresses.filter(({ family }) => family === addresses[0]?.family);
  const second = addresses.filter((at) => !first.includes(at));
  const mixed: HostAddress[] = [];
  for (let i = 0; i < addresses.length; i++) {
    for (const at of [first[i], second[i]]) if (at) mixed.push(at);
  }
  return mixed;
}

/** Subdomains of `localhost` are loopback too (RFC 6761 section 6.3). */
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
  return new SshError("aborted", `the connection to ${hostPort({ host, port })} was aborted`, { cause });
}
