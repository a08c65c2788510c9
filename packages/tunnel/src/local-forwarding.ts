/**
 * Local forwarding: `ssh -L` and `ssh -D`. Only platforms that set `local` contain it.
 * Longer than 300 lines, because a port and its clients, waiting or connected, end together.
 * @module
 */
import {
  type Address,
  acceptSocks,
  type BytePipe,
  type CallOptions,
  type Channel,
  type Deferred,
  deferred,
  hostPort,
  onAbort,
  pump,
  type SshConnection,
} from "@postern/ssh";
import { quote, SshError } from "@postern/wire";
import { checkCallOptions, refuseIgnored } from "./check-calls.ts";
import { type CheckedLocal, checkLocal, type LocalCall } from "./check-local.ts";
import { LocalErrorEvent } from "./events.ts";
import type { ForwardingStats } from "./forwarding-stats.ts";
import type {
  ForwardLocalOptions,
  LocalContext,
  LocalForwarder,
  LocalForwarding,
  LocalListen,
  LocalListener,
  LocalSocksOptions,
} from "./local-options.ts";
import { sumOf } from "./stats.ts";
import type { Target } from "./target.ts";
import { withDeadline } from "./waiting.ts";

/** Returns the member `local` of a platform that can listen. */
export function createLocalForwarder(listen: LocalListen): (context: LocalContext) => LocalForwarder {
  return (context) => new Forwarder(listen, context);
}

/** Waits for the connection to the server. */
type Connect = (signal: AbortSignal) => Promise<SshConnection>;

class Forwarder implements LocalForwarder {
  readonly #listen: LocalListen;
  readonly #context: LocalContext;
  readonly #forwardings = new Set<ActiveLocal>();
  /** Connections that wait for the tunnel to be open. */
  readonly #waiting = new Set<() => void>();
  #keepsAlive = true;
  #hasEnded = false;

  constructor(listen: LocalListen, context: LocalContext) {
    this.#listen = listen;
    this.#context = context;
    context.tunnel.addEventListener("state", () => {
      if (context.connection() !== undefined) for (const go of this.#waiting) go();
    });
  }

  async listen(
    what: LocalCall,
    options: ForwardLocalOptions | LocalSocksOptions,
    ignored: readonly unknown[],
  ): Promise<LocalForwarding> {
    refuseIgnored(what, ignored);
    const checked = checkLocal(what, options);
    this.#expectNotEnded();
    const { signal } = options;
    signal?.throwIfAborted();
    const gone = (): void => void this.#forwardings.delete(forwarding);
    const forwarding: ActiveLocal = new ActiveLocal(checked, this.#context, this.#connect, gone);
    this.#forwardings.add(forwarding);
    try {
      await forwarding.listen(this.#listen);
      signal?.throwIfAborted();
      this.#expectNotEnded();
    } catch (error) {
      forwarding.end(undefined);
      throw error;
    }
    forwarding.setRef(this.#keepsAlive);
    return forwarding;
  }

  setRef(keepsAlive: boolean): void {
    this.#keepsAlive = keepsAlive;
    for (const one of this.#forwardings) one.setRef(keepsAlive);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#forwardings].map((one) => one.close()));
  }

  async idle(): Promise<void> {
    await Promise.all([...this.#forwardings].map((one) => one.idle()));
  }

  end(error: SshError | undefined): void {
    this.#hasEnded = true;
    for (const one of this.#forwardings) one.end(error);
  }

  #expectNotEnded(): void {
    if (this.#hasEnded)
      throw new SshError("closed", "expected a tunnel that has not ended, got one that has: create a new one");
  }

  /** After the signal has aborted, it stays pending and is forgotten. */
  readonly #connect: Connect = async (signal) => {
    for (;;) {
      const connection = this.#context.connection();
      if (connection !== undefined) return connection;
      await new Promise<void>((resolve) => {
        const go = (): void => {
          this.#waiting.delete(go);
          resolve();
        };
        this.#waiting.add(go);
        onAbort(signal, () => this.#waiting.delete(go));
      });
    }
  };
}

/** One listening port, and its clients. */
class ActiveLocal implements LocalForwarding {
  readonly address: string;
  readonly path: string | undefined;
  readonly target: Target | "socks";
  readonly #connections: number;
  readonly #requestedPort: number;
  readonly #context: LocalContext;
  readonly #connect: Connect;
  readonly #gone: () => void;
  readonly #closed = deferred();
  /** Each ends a connection that has no channel yet. */
  readonly #arriving = new Set<AbortController>();
  readonly #connected = new Set<Channel>();
  /** The clients' connections that are joined with a channel, open or not. */
  readonly #pipes = new Map<Channel, BytePipe>();
  readonly #past = { ...sumOf([]) };
  #listener: LocalListener | undefined;
  #hasEnded = false;
  #idle: Deferred | undefined;

  constructor(
    { address, port, path, target, connections }: CheckedLocal,
    context: LocalContext,
    ...rest: [Connect, () => void]
  ) {
    this.address = path ?? address;
    this.path = path;
    this.target = target;
    this.#requestedPort = port;
    this.#connections = connections;
    this.#context = context;
    [this.#connect, this.#gone] = rest;
  }

  get port(): number {
    return this.#listener?.port ?? 0;
  }

  get state(): "open" | "closed" {
    return this.#hasEnded ? "closed" : "open";
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  async listen(listen: LocalListen): Promise<void> {
    const { address, path } = this;
    const at = path === undefined ? { address, port: this.#requestedPort } : { path };
    this.#listener = await listen(at, (pipe, origin) => this.#arrived(pipe, origin));
    if (!this.#hasEnded) return;
    await this.#listener.close();
    throw new SshError("closed", "the tunnel was closed");
  }

  setRef(keepsAlive: boolean): void {
    this.#listener?.setRef(keepsAlive);
  }

  async close(call: CallOptions = {}): Promise<void> {
    checkCallOptions("close", call);
    call.signal?.throwIfAborted();
    this.#end(undefined);
    await this.#listener?.close();
  }

  /** The tunnel has ended: connections that have no channel yet are dropped. */
  end(error: SshError | undefined): void {
    for (const one of this.#arriving) one.abort(error ?? new SshError("closed", "the tunnel was closed"));
    for (const [channel, pipe] of this.#pipes) if (!this.#connected.has(channel)) pipe.abort(error);
    this.#end(error);
    void this.#listener?.close();
  }

  stats(): ForwardingStats {
    const sum = { ...this.#past, open: this.#connected.size };
    for (const channel of this.#connected) addTraffic(sum, channel);
    return sum;
  }

  idle(): Promise<void> {
    this.#idle ??= deferred();
    const { promise } = this.#idle;
    this.#checkIdle();
    return promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close().catch(() => {});
  }

  #end(error: SshError | undefined): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (error === undefined) this.#closed.resolve();
    else this.#closed.reject(error);
    this.#checkIdle();
  }

  #arrived(pipe: BytePipe, origin: Address | undefined): void {
    const refuse = (error: unknown): void => {
      this.#past.refused++;
      this.#context.tunnel.dispatchEvent(new LocalErrorEvent(this, origin, error));
    };
    if (this.#hasEnded) return pipe.abort();
    if (this.#arriving.size + this.#clients() >= this.#connections) {
      const message = `expected at most ${this.#connections} connections at a time, got another`;
      const error = new SshError("limit", message);
      pipe.abort(error);
      return refuse(error);
    }
    const abort = new AbortController();
    this.#arriving.add(abort);
    void this.#join(pipe, origin, abort.signal)
      .catch(refuse)
      .finally(() => {
        this.#arriving.delete(abort);
        this.#checkIdle();
      });
  }

  /** The client's pipe is not read until its channel is open, apart from a SOCKS request. */
  async #join(pipe: BytePipe, origin: Address | undefined, signal: AbortSignal): Promise<void> {
    const connect = (target: Target): Promise<Channel> => this.#open(target, origin, signal);
    const { target } = this;
    if (target === "socks") {
      // After a failure it closes the pipe, which sends the reply first.
      const stopListening = onAbort(signal, () => pipe.abort(signal.reason));
      try {
        const accepted = await acceptSocks(pipe, { connect });
        return this.#pump(accepted.target, accepted.client);
      } finally {
        stopListening();
      }
    }
    try {
      this.#pump(await connect(target), pipe);
    } catch (error) {
      pipe.abort(error instanceof Error ? error : undefined);
      throw error;
    }
  }

  /** A client counts until its own connection has closed, which may be after its channel if it reads slowly. */
  #pump(channel: Channel, pipe: BytePipe): void {
    this.#pipes.set(channel, pipe);
    pump(channel, pipe, this.#context.free, (one) => {
      this.#pipes.delete(one);
      this.#checkIdle();
    });
  }

  /** Opens a channel. Waits for the tunnel to be open, but no longer than `targetTimeoutMs` together. */
  async #open(target: Target, origin: Address | undefined, signal: AbortSignal): Promise<Channel> {
    const ms = this.#context.targetTimeoutMs;
    const name = quote("path" in target ? target.path : hostPort(target));
    const channel = await withDeadline(`the server to connect to ${name}`, ms, signal, async (signal) => {
      const connection = await this.#connect(signal);
      return "path" in target
        ? await connection.openUnix(target.path, { signal })
        : await connection.openTcp(target, { signal, origin });
    });
    if (channel === undefined) throw signal.reason;
    this.#connected.add(channel);
    this.#past.accepted++;
    const closed = (): void => {
      this.#connected.delete(channel);
      addTraffic(this.#past, channel);
      this.#checkIdle();
    };
    channel.closed.then(closed, closed);
    return channel;
  }

  /** Clients with a channel, or whose channel has closed before their own connection. */
  #clients(): number {
    let count = this.#pipes.size;
    for (const channel of this.#connected) if (!this.#pipes.has(channel)) count++;
    return count;
  }

  #checkIdle(): void {
    if (this.#arriving.size + this.#clients() > 0) return;
    this.#idle?.resolve();
    this.#idle = undefined;
    if (this.#hasEnded) this.#gone();
  }
}

/** From the client's point of view: it sent the bytes that the channel carried out. */
function addTraffic(sum: { -readonly [name in keyof ForwardingStats]: number }, { counters }: Channel): void {
  sum.bytesIn += counters.bytesOut;
  sum.bytesOut += counters.bytesIn;
  sum.stalls += counters.stalls;
}
