/** The end of a reverse tunnel that listens: an SSH server that forwards ports, and nothing else. @module */
import { type BytePipe, checkOptions } from "@postern/ssh";
import { describeType, expectNumber, SshError, utf8 } from "@postern/wire";
import { Admission, type TurnedAway } from "./admission.ts";
import { HostClientEvent, type HostEvents, RefusalEvent } from "./events.ts";
import { Client, type HostClient, type HostContext } from "./host-client.ts";
import { plainIp } from "./ip.ts";
import { type CheckedHostOptions, checkHostOptions, type TunnelHostOptions } from "./options.ts";
import type { Address, HostPlatform } from "./platform.ts";

/** What `serve` may be told about a pipe. */
export interface ServeOptions {
  /** where the client comes from: limits per source and `from` of keys need it. A socket that has been reset does not know its own any more. */
  readonly origin?: { readonly host: string | undefined; readonly port: number | undefined } | undefined;
}

/** What `close` takes. */
export interface CloseOptions {
  /** milliseconds for open channels to end by themselves; default 5 s, 0 ends them at once, Infinity waits for all of them */
  readonly drainMs?: number;
}

/** How many clients at once are told that they were turned away; the others are only dropped. */
const mostLeaving = 64;

const reasons: Readonly<Record<TurnedAway, string>> = {
  closing: "the host is closing",
  connections: "too many connections",
  startups: "too many connections that have not logged in",
  penalty: "this source behaved badly",
};

/**
 * A host for reverse tunnels. It serves SSH clients over any byte pipe.
 *
 * Events: `clientopened`, `clientclosed`, `connect`, `refusal`, `forwardingopened`, `forwardingclosed` (see {@link HostEvents}).
 * None of them has to be handled.
 */
export class TunnelHost extends EventTarget {
  readonly #platform: HostPlatform;
  readonly #options: CheckedHostOptions;
  readonly #admission: Admission;
  readonly #clients = new Set<Client>();
  readonly #whenEmpty: (() => void)[] = [];
  #nextId = 1;
  /** clients that were turned away and have not gone yet */
  #leaving = 0;
  #closing = false;

  /** @throws SshError `misuse` for options that are unknown, missing or out of range */
  constructor(options: TunnelHostOptions, platform: HostPlatform) {
    super();
    this.#platform = platform;
    this.#options = checkHostOptions(options, platform.algorithms);
    this.#admission = new Admission(this.#options.limits, platform.random, now);
  }

  /** The clients that are connected, those that have not logged in included. */
  get connections(): readonly HostClient[] {
    return [...this.#clients];
  }

  override addEventListener<Type extends keyof HostEvents>(
    type: Type,
    handler: ((event: HostEvents[Type]) => void) | null,
    options?: AddEventListenerOptions | boolean,
  ): void;
  override addEventListener(
    type: string,
    handler: EventListenerOrEventListenerObject | null,
    options?: AddEventListenerOptions | boolean,
  ): void;
  override addEventListener(
    type: string,
    handler: ((event: never) => void) | EventListenerOrEventListenerObject | null,
    options?: AddEventListenerOptions | boolean,
  ): void {
    super.addEventListener(type, handler as EventListenerOrEventListenerObject | null, options);
  }

  /**
   * Serves the client at the other end of a pipe (takes it). Resolves when the client is gone: the event `clientclosed` tells why.
   *
   * @throws SshError `misuse` for wrong options, and nothing else; the pipe is dropped
   * @example
   * server.on("connection", (socket) => void host.serve(socketPipe(socket), { origin: { host: socket.remoteAddress, port: socket.remotePort } }));
   */
  async serve(pipe: BytePipe, options: ServeOptions = {}): Promise<void> {
    let origin: Address | undefined;
    try {
      origin = readOrigin(options);
    } catch (error) {
      pipe.abort(error as SshError);
      throw error;
    }
    const away = this.#closing ? "closing" : this.#admission.enter(origin?.host, this.#clients.size);
    if (away !== undefined) return this.#turnAway(pipe, away, origin);
    const core: HostContext = {
      options: this.#options,
      platform: this.#platform,
      admission: this.#admission,
      now,
      emit: (event) => this.dispatchEvent(event),
    };
    const client = new Client(this.#nextId++, origin, core);
    this.#clients.add(client);
    this.dispatchEvent(new HostClientEvent("clientopened", client));
    const reason = await client.run(pipe);
    this.#clients.delete(client);
    this.dispatchEvent(new HostClientEvent("clientclosed", client, reason));
    if (this.#clients.size === 0) for (const wake of this.#whenEmpty.splice(0)) wake();
  }

  /** Takes no more clients and frees all ports; lets open channels end, then sends every client away. Resolves when all are gone. */
  async close(options: CloseOptions = {}): Promise<void> {
    checkOptions("close", options, ["drainMs"]);
    const { drainMs = 5_000 } = options;
    expectNumber("drainMs", drainMs);
    this.#closing = true;
    await this.stopListening();
    await Promise.all([...this.#clients].map((client) => client.drain(drainMs)));
    if (this.#clients.size > 0) await new Promise<void>((resolve) => this.#whenEmpty.push(resolve));
  }

  /** `await using host`: closes it at the end of the block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Called by `close`: a platform that listens for clients frees its port. */
  protected async stopListening(): Promise<void> {}

  #turnAway(pipe: BytePipe, why: TurnedAway, origin: Address | undefined): void {
    const abort = (): void => pipe.abort(new SshError("closed", "the client was turned away"));
    if (this.#leaving >= mostLeaving) abort();
    else {
      this.#leaving++;
      const patience = setTimeout(abort, 1_000);
      const closed = (): void => {
        this.#leaving--;
        clearTimeout(patience);
      };
      pipe.start({ data() {}, end() {}, drain() {}, closed });
      // In place of the identification, as sshd does: clients show the lines before it (RFC 4253 section 4.2).
      pipe.write(utf8("Not allowed at this time\r\n"));
      pipe.close();
    }
    this.dispatchEvent(new RefusalEvent("connection", reasons[why], undefined, origin));
  }
}

function readOrigin(options: ServeOptions): Address | undefined {
  checkOptions("serve", options, ["origin"]);
  const { origin } = options;
  if (origin === undefined) return undefined;
  checkOptions("origin", origin, ["host", "port"]);
  const { host, port = 0 } = origin;
  if (host === undefined) return undefined;
  if (typeof host !== "string") throw new SshError("misuse", `expected origin.host as text, got ${describeType(host)}`);
  expectNumber("origin.port", port);
  return { host: plainIp(host), port };
}

function now(): number {
  return performance.now();
}
