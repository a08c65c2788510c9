/** The listening end of a reverse tunnel: an SSH server that forwards ports and nothing else. @module */
import { type BytePipe, checkOptions, TypedEventTarget } from "@postern/ssh";
import { expectNumber, expectType, SshError, utf8 } from "@postern/wire";
import { Admission, type AdmissionRefusal } from "./admission.ts";
import type { HostClient } from "./client-view.ts";
import { HostClientEvent, type HostEvents, RefusalEvent } from "./events.ts";
import { Client } from "./host-client.ts";
import type { HostContext } from "./host-context.ts";
import { plainIp } from "./ip.ts";
import { type CheckedHostOptions, checkHostOptions, type TunnelHostOptions } from "./options.ts";
import type { Address, HostPlatform } from "./platform.ts";

/** Options of `serve`. */
export interface ServeClientOptions {
  /**
   * The client's address. The limits per source and the key option `from="…"` require it. A socket that has been reset
   * has neither `host` nor `port`, so both may be `undefined`.
   */
  readonly origin?: { readonly host: string | undefined; readonly port: number | undefined } | undefined;
}

/** Options of `close`. */
export interface CloseOptions {
  /** Milliseconds that open channels may take to end. Default: 5000. 0 ends them at once, Infinity waits for all. */
  readonly drainMs?: number;
}

/** How many refused clients may be receiving the message at the same time. Further ones are dropped without it. */
const maxRefusing = 64;
/** How long a refused client may take to receive its message. */
const refusalTimeoutMs = 1_000;

const reasons: Readonly<Record<AdmissionRefusal, string>> = {
  closing: "the server is closing",
  connections: "too many connections",
  startups: "too many connections that have not logged in",
  penalty: "this source is refused until the penalty for its earlier failures has passed",
};

/**
 * An SSH server for reverse tunnels, over any byte pipe.
 *
 * Events ({@link HostEvents}): `clientopened`, `clientclosed`, `login`, `refusal`, `forwardingopened`,
 * `forwardingclosed`. No listener is required.
 */
export class TunnelHost extends TypedEventTarget<HostEvents> {
  readonly #platform: HostPlatform;
  readonly #options: CheckedHostOptions;
  readonly #admission: Admission;
  readonly #clients = new Set<Client>();
  readonly #whenEmpty: (() => void)[] = [];
  #nextId = 1;
  /** Number of refused clients that are still connected. */
  #refusing = 0;
  #closing = false;

  /** @throws SshError `misuse` if an option is unknown, missing or out of range */
  constructor(options: TunnelHostOptions, platform: HostPlatform) {
    super();
    this.#platform = platform;
    this.#options = checkHostOptions(options, platform);
    this.#admission = new Admission(this.#options.limits, platform.random, () => performance.now());
  }

  /** The connected clients, including those that have not logged in. */
  get clients(): readonly HostClient[] {
    return [...this.#clients];
  }

  /**
   * Serves the client at the other end of a pipe (takes it). Resolves when the connection has ended, with or without an
   * error: the event `clientclosed` has the reason.
   *
   * @throws SshError only `misuse`, for wrong options; the pipe is aborted
   * @example
   * server.on("connection", (socket) => {
   *   const origin = { host: socket.remoteAddress, port: socket.remotePort };
   *   void host.serve(socketPipe(socket), { origin });
   * });
   */
  async serve(pipe: BytePipe, options: ServeClientOptions = {}): Promise<void> {
    let origin: Address | undefined;
    try {
      origin = readOrigin(options);
    } catch (error) {
      pipe.abort(error as SshError);
      throw error;
    }
    const refusal = this.#closing ? "closing" : this.#admission.enter(origin?.host, this.#clients.size);
    if (refusal !== undefined) return this.#refuse(pipe, refusal, origin);
    const context: HostContext = {
      options: this.#options,
      platform: this.#platform,
      admission: this.#admission,
      emit: (event) => this.dispatchEvent(event),
    };
    const client = new Client(this.#nextId++, origin, context);
    this.#clients.add(client);
    this.dispatchEvent(new HostClientEvent("clientopened", client));
    const reason = await client.run(pipe);
    this.#clients.delete(client);
    this.dispatchEvent(new HostClientEvent("clientclosed", client, reason));
    if (this.#clients.size === 0) for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }

  /**
   * Refuses new clients, frees all ports, and waits up to `drainMs` for open channels to end. Then it disconnects all
   * clients, and resolves when every connection has ended.
   */
  async close(options: CloseOptions = {}): Promise<void> {
    checkOptions("close", options, ["drainMs"]);
    const { drainMs = 5_000 } = options;
    expectNumber("drainMs", drainMs);
    this.#closing = true;
    await this.stopListening();
    await Promise.all([...this.#clients].map((client) => client.drain(drainMs)));
    if (this.#clients.size > 0) await new Promise<void>((resolve) => this.#whenEmpty.push(resolve));
  }

  /** `await using host` closes the server at the end of the block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Called by `close`. A subclass that listens for clients overrides it to free its port. */
  protected async stopListening(): Promise<void> {}

  #refuse(pipe: BytePipe, refusal: AdmissionRefusal, origin: Address | undefined): void {
    const abort = (): void => pipe.abort(new SshError("closed", "the client was refused"));
    if (this.#refusing >= maxRefusing) abort();
    else {
      this.#refusing++;
      const timer = setTimeout(abort, refusalTimeoutMs);
      const closed = (): void => {
        this.#refusing--;
        clearTimeout(timer);
      };
      pipe.start({ data() {}, end() {}, drain() {}, closed });
      // As sshd does, sends text where the identification line is expected. Clients show it (RFC 4253 section 4.2).
      pipe.write(utf8("Not allowed at this time\r\n"));
      pipe.close();
    }
    this.dispatchEvent(new RefusalEvent("connection", reasons[refusal], undefined, origin));
  }
}

function readOrigin(options: ServeClientOptions): Address | undefined {
  checkOptions("serve", options, ["origin"]);
  const { origin } = options;
  if (origin === undefined) return undefined;
  checkOptions("origin", origin, ["host", "port"]);
  const { host, port = 0 } = origin;
  if (host === undefined) return undefined;
  expectType("origin.host", host, "string");
  expectNumber("origin.port", port);
  return { host: plainIp(host), port };
}
