/** The way to the server: through a proxy and jump hosts. @module */
import type { Algorithms } from "@postern/crypto";
import {
  type Address,
  type BytePipe,
  type CallOptions,
  type ClientOptions,
  connect,
  type HostKeyOption,
  hostPort,
  onAbort,
  type PacketTap,
  type SshConnection,
} from "@postern/ssh";
import { OpenFailureReason, SshError, toSshError } from "@postern/wire";
import { expectPipe, messageOf } from "./dial.ts";
import { type HostKeyCheck, type HostKeyEndpoint, hostKeyOption } from "./host-key.ts";
import type { CheckedJumpHost, CheckedOptions, Endpoint } from "./options.ts";
import type { Platform } from "./platform.ts";
import type { LinkFailure } from "./reconnect.ts";
import { withDeadline } from "./waiting.ts";

/** The circumstances of a {@link Route}. */
export interface RouteContext {
  readonly platform: Platform;
  readonly options: CheckedOptions;
  readonly server: Endpoint;
  readonly signal: AbortSignal;
  /** milliseconds left until the login must be complete */
  readonly leftMs: () => number;
  banner(message: string): void;
  debug(message: string): void;
}

/** The way of one link to the server. */
export class Route {
  /** how far the connection that is being made has come */
  at: LinkFailure["at"] = "dial";
  /** the connections to the jump hosts, in order */
  readonly hops: SshConnection[] = [];
  /** Why a jump host was lost. The connections through it fail with a mere `closed`. */
  failure: SshError | undefined;
  readonly #context: RouteContext;

  constructor(context: RouteContext) {
    this.#context = context;
  }

  /** Dials the proxy, the first jump host or the server. Returns the pipe behind the proxy. @throws SshError */
  async dial(): Promise<BytePipe> {
    const { options, server } = this.#context;
    const { proxy } = options;
    const { host, port } = options.via[0] ?? server;
    try {
      if (proxy === undefined) return await this.#dial({ host, port });
      const pipe = await this.#dial({ host: proxy.host, port: proxy.port }, `proxy ${hostPort(proxy)}`);
      const expected = `the proxy ${hostPort(proxy)} to connect to ${hostPort({ host, port })}`;
      return await this.#bounded(expected, async (call) => {
        const behind = await proxy.open(pipe, { host, port }, call);
        expectPipe("proxy.open", behind);
        // A proxy of the program may ignore the signal.
        if (call.signal?.aborted) behind.abort();
        return behind;
      }).catch((error: unknown) => {
        pipe.abort();
        throw toSshError(error, "connect", `expected ${expected}, got: ${messageOf(error)}`);
      });
    } catch (error) {
      throw this.#named(options.via[0] && this.#nameOf(0), error);
    }
  }

  /**
   * Logs in to each jump host, the first one over the given pipe (takes), with its tap. Returns the pipe to the server.
   *
   * @throws SshError that names the jump host
   */
  async jump(pipe: BytePipe, algorithms: Algorithms, taps: readonly (PacketTap | undefined)[]): Promise<BytePipe> {
    const { options, server } = this.#context;
    let last = pipe;
    for (const [index, hop] of options.via.entries()) {
      const name = this.#nameOf(index);
      try {
        const connection = await this.#logIn(last, hop, name, { algorithms, tap: taps[index] });
        this.hops.push(connection);
        last = await this.#through(connection, options.via[index + 1] ?? server, name);
      } catch (error) {
        // Those before it end with their channels.
        void this.hops[index]?.close();
        throw this.#named(name, error);
      }
    }
    return last;
  }

  /** Returns the option `hostKey` of `connect`, for a jump host or the server. */
  hostKey(check: HostKeyCheck, endpoint: HostKeyEndpoint): HostKeyOption {
    const { platform, options } = this.#context;
    const isDefault = options.algorithms.hostKeys === platform.algorithms.hostKeys;
    const option = hostKeyOption(check, endpoint, platform.sha256, isDefault);
    return {
      ...option,
      check: (offer) => {
        this.at = "host key";
        return option.check(offer);
      },
    };
  }

  #logIn(
    pipe: BytePipe,
    hop: CheckedJumpHost,
    name: string,
    more: Pick<ClientOptions, "algorithms" | "tap">,
  ): Promise<SshConnection> {
    const { platform, options, signal, leftMs } = this.#context;
    const { host, port, user, auth, hostKeyAlias } = hop;
    const { rekey, keepAlive } = options;
    this.at = "reached";
    return connect(pipe, {
      ...more,
      user,
      auth,
      rekey,
      keepAlive,
      signal,
      random: platform.random,
      loginTimeoutMs: leftMs(),
      hostKey: this.hostKey(hop.hostKey ?? options.hostKey, { host, port, hostKeyAlias }),
      onNotice: (message) => this.#context.debug(`${name}: ${message}`),
      onBanner: (message) => this.#context.banner(message),
      onDebug: (message) => this.#context.debug(`${name}: ${message}`),
    });
  }

  /** Connects to the next step through a jump host. The channel and the connection to the jump host end together. */
  async #through(connection: SshConnection, { host, port }: Endpoint, name: string): Promise<BytePipe> {
    const expected = `a connection to ${hostPort({ host, port })}`;
    try {
      const channel = await this.#bounded(expected, (call) => connection.openTcp({ host, port }, call));
      void channel.closed
        .catch((error: unknown) => {
          this.failure ??= this.#named(name, error);
        })
        .then(() => connection.close());
      return channel;
    } catch (error) {
      if (!(error instanceof SshError) || error.reason === undefined || error.code !== "refused") throw error;
      const { reason } = error;
      const code = reason === OpenFailureReason.ADMINISTRATIVELY_PROHIBITED ? "denied" : "refused";
      throw new SshError(code, `expected ${expected}, got: ${error.message}`, { cause: error, reason });
    }
  }

  /** Calls `work` with a signal that aborts when no time is left. @throws SshError `timeout`; the signal's reason */
  async #bounded<T>(expected: string, work: (call: CallOptions) => Promise<T>): Promise<T> {
    const { signal, leftMs } = this.#context;
    const result = await withDeadline(expected, leftMs(), signal, (limit) => work({ signal: limit }));
    if (signal.aborted) throw signal.reason;
    return result as T;
  }

  #dial(target: Address, name?: string): Promise<BytePipe> {
    const { platform, signal, leftMs } = this.#context;
    let stopListening: (() => void) | undefined;
    return new Promise<BytePipe>((connected, failed) => {
      const pending = platform.dial(target, leftMs(), connected, failed);
      stopListening = onAbort(signal, () => pending.abort(signal.reason));
    })
      .catch((error: unknown) => {
        throw this.#named(name, error);
      })
      .finally(() => stopListening?.());
  }

  #nameOf(index: number): string {
    const { via } = this.#context.options;
    const place = via.length === 1 ? "" : ` (${index + 1} of ${via.length})`;
    return `jump host ${via[index]?.host}${place}`;
  }

  /** Returns the error with the name of the step that failed, and its code. */
  #named(name: string | undefined, error: unknown): SshError {
    if (this.failure !== undefined) return this.failure;
    const cause = toSshError(error, "connect", "the login failed");
    if (name === undefined || this.#context.signal.aborted) return cause;
    const { code, message, reason, description } = cause;
    return new SshError(code, `${name}: ${message}`, { cause, reason, description });
  }
}
