/** One tunnel of a configuration, with its forwardings. It changes with the configuration. @module */
import {
  type Forwarding,
  type ForwardingStats,
  type LocalForwarding,
  type Log,
  ReverseTunnel,
  SshError,
} from "@postern/node";
import type { TunnelConfig } from "./config/types.ts";
import { type ForwardSpec, forwardSpecs, listenText } from "./forward-specs.ts";
import type { ForwardStatus, TunnelStatus } from "./status.ts";
import { type PlannedTunnel, planTunnel } from "./tunnel-options.ts";

/** The services that a tunnel needs. */
export interface ManagedTunnelContext {
  readonly env: NodeJS.ProcessEnv;
  readonly log: Log;
  /** milliseconds that connections may take to finish after a port has been given up */
  readonly drainMs: () => number;
  /** Called after each change of its state and of its forwardings. */
  readonly changed: () => void;
}

/** A forwarding that was requested. */
interface Entry {
  readonly spec: ForwardSpec;
  readonly stop: AbortController;
  forwarding: Forwarding | LocalForwarding | undefined;
  error: Error | undefined;
  /** failures since it was open */
  failures: number;
}

/** A tunnel in use. */
interface Run {
  readonly plan: PlannedTunnel;
  readonly tunnel: ReverseTunnel;
  readonly entries: Map<string, Entry>;
}

/** The wait before a port that was refused is requested again. It grows, up to `maxRetryMs`. */
const retryMs = 1_000;
const maxRetryMs = 30_000;
/** The longest wait for the server to confirm that a port is free. */
const freeMs = 3_000;
/** An attempt that takes longer than its limit by this much hangs. */
const hangMs = 60_000;

/** A tunnel of the configuration. Calls of `start`, `update` and `stop` must not overlap. */
export class ManagedTunnel {
  readonly name: string;
  readonly #context: ManagedTunnelContext;
  #config: TunnelConfig;
  #run: Run | undefined;
  /** shown also after the run has ended */
  #server = "";
  #state: TunnelStatus["state"] = "new";
  #since = Date.now();
  #lastError: TunnelStatus["lastError"];
  /** Whether the first attempt has ended, in whichever way. */
  #hasTried = false;
  /** Closed tunnels and forwardings whose connections may still finish. */
  readonly #draining = new Set<Promise<unknown>>();
  readonly #drainAbort = new AbortController();

  constructor(name: string, config: TunnelConfig, context: ManagedTunnelContext) {
    this.name = name;
    this.#config = config;
    this.#context = context;
  }

  get config(): TunnelConfig {
    return this.#config;
  }

  /** `undefined` while it is stopped or has failed. */
  get tunnel(): ReverseTunnel | undefined {
    return this.#run?.tunnel;
  }

  /** Whether the first attempt to open everything has succeeded or failed. */
  get hasTried(): boolean {
    return this.#hasTried;
  }

  /** Whether it is connected, and all its forwardings are open. */
  get isOpen(): boolean {
    const run = this.#run;
    return run?.tunnel.state === "open" && [...run.entries.values()].every((one) => stateOf(one) === "open");
  }

  /** `false` for an attempt to connect that should have ended long ago. */
  get isAlive(): boolean {
    const isTrying = this.#state === "connecting" || this.#state === "authenticating";
    const { loginTimeoutMs = 60_000 } = this.#run?.plan.options ?? {};
    return !isTrying || Date.now() - this.#since < loginTimeoutMs + hangMs;
  }

  /** Whether it was stopped, or ended with an error. */
  get hasEnded(): boolean {
    return this.#state === "stopped" || this.#state === "failed";
  }

  /** Starts it, unless it runs. Never rejects: errors are a part of its status. */
  async start(): Promise<void> {
    if (this.#run !== undefined) return;
    let plan: PlannedTunnel;
    try {
      plan = await planTunnel(this.#config, this.#context.env);
      this.#server = plan.server;
      this.#run = { plan, tunnel: this.#create(plan), entries: new Map() };
    } catch (error) {
      this.#fail(error as Error);
      this.#context.log({ level: "error", event: "failed", message: (error as Error).message });
      return;
    }
    const run = this.#run;
    void this.#setEntries(run, forwardSpecs(this.#config, plan.forwards));
    run.tunnel.connect().catch((error: Error) => this.#ended(run, error));
    run.tunnel.closed.catch((error: Error) => this.#ended(run, error));
  }

  /** Applies another configuration. A connection and forwardings that stay the same are kept. */
  async update(config: TunnelConfig): Promise<void> {
    const run = this.#run;
    this.#config = config;
    if (run === undefined) return;
    let plan: PlannedTunnel | undefined;
    try {
      plan = await planTunnel(config, this.#context.env);
    } catch {
      // Starting it again reports the error.
    }
    if (plan?.key === run.plan.key && !this.hasEnded) {
      await this.#setEntries(run, forwardSpecs(config, plan.forwards));
      this.#context.changed();
      return;
    }
    await this.stop();
    await this.start();
  }

  /** Frees all ports. Open connections may take `drainMs` to finish: see {@link drained}. */
  async stop(): Promise<void> {
    const run = this.#run;
    this.#run = undefined;
    this.#become("stopped");
    if (run === undefined) return;
    await Promise.all([...run.entries.values()].map((entry) => closeEntry(entry)));
    const drainMs = this.#context.drainMs();
    // A server that does not answer does not close the connection, either.
    const signal = AbortSignal.any([this.#drainAbort.signal, AbortSignal.timeout(drainMs + freeMs)]);
    this.#drain(run.tunnel.close({ drainMs, signal }));
  }

  /** Resolves once the connections of what was stopped have finished, or their time is over. */
  async drained(): Promise<void> {
    await Promise.allSettled(this.#draining);
  }

  /** Ends the wait for connections. */
  abortDrain(): void {
    this.#drainAbort.abort();
  }

  /** Requests the forwardings again that have failed. */
  retryFailed(): void {
    const run = this.#run;
    if (run === undefined) return;
    for (const entry of run.entries.values()) {
      if (entry.error !== undefined) void this.#open(run, entry);
    }
  }

  status(): TunnelStatus {
    const run = this.#run;
    const stats = run?.tunnel.stats();
    const entries = [...(run?.entries.values() ?? [])];
    const local = entries.flatMap(({ spec, forwarding }) =>
      spec.type === "remote" || forwarding === undefined ? [] : [forwarding.stats()],
    );
    const sum = (name: keyof ForwardingStats): number =>
      (stats?.[name] ?? 0) + local.reduce((total, one) => total + one[name], 0);
    return {
      name: this.name,
      state: this.#state,
      since: this.#since,
      server: this.#server,
      forwardings: entries.map(forwardStatus),
      visitors: sum("open"),
      bytesIn: sum("bytesIn"),
      bytesOut: sum("bytesOut"),
      reconnects: stats?.reconnects ?? 0,
      ...(stats?.roundTripMs !== undefined && { roundTripMs: stats.roundTripMs }),
      ...(this.#lastError !== undefined && { lastError: this.#lastError }),
    };
  }

  #create(plan: PlannedTunnel): ReverseTunnel {
    const tunnel = new ReverseTunnel({ ...plan.options, log: this.#context.log });
    const isCurrent = (): boolean => this.#run?.tunnel === tunnel;
    tunnel.addEventListener("state", ({ state, reason }) => {
      if (!isCurrent() || state === "closed") return;
      if (reason !== undefined) this.#note(reason);
      if (state === "waiting") this.#hasTried = true;
      this.#become(state);
      if (state === "open") this.retryFailed();
    });
    tunnel.addEventListener("forwarding", ({ reason }) => {
      if (!isCurrent()) return;
      if (reason !== undefined) this.#note(reason);
      this.#settle();
    });
    tunnel.addEventListener("visitorerror", ({ error }) => this.#note(error));
    tunnel.addEventListener("localerror", ({ error }) => this.#note(error));
    return tunnel;
  }

  /** Closes the forwardings that are not in `specs`, and then opens those that are new. */
  async #setEntries(run: Run, specs: readonly ForwardSpec[]): Promise<void> {
    const wanted = new Map(specs.map((spec) => [spec.key, spec]));
    const removed = [...run.entries].filter(([key]) => !wanted.has(key));
    for (const [key] of removed) run.entries.delete(key);
    if (removed.length > 0) await Promise.all(removed.map(([, entry]) => closeEntry(entry)));
    for (const [key, spec] of wanted) {
      if (run.entries.has(key)) continue;
      const entry: Entry = { spec, stop: new AbortController(), forwarding: undefined, error: undefined, failures: 0 };
      run.entries.set(key, entry);
      void this.#open(run, entry);
    }
  }

  async #open(run: Run, entry: Entry): Promise<void> {
    const { spec, stop } = entry;
    const previous = entry.error;
    entry.error = undefined;
    const failed = (error: Error): void => {
      entry.forwarding = undefined;
      if (stop.signal.aborted || this.#run !== run) return;
      entry.error = error;
      this.#note(error);
      const message = `the forwarding of ${spec.listen} to ${spec.target} is not open: ${error.message}`;
      if (error.message !== previous?.message) this.#context.log({ level: "warn", event: "forwarding", message });
      if (isTemporary(entry))
        setTimeout(
          () => {
            if (!stop.signal.aborted && entry.error === error) void this.#open(run, entry);
          },
          Math.min(retryMs * 1.5 ** entry.failures++, maxRetryMs),
        ).unref();
      this.#settle();
    };
    try {
      const forwarding = await spec.open(run.tunnel, stop.signal);
      entry.forwarding = forwarding;
      entry.failures = 0;
      if (spec.type !== "remote") this.#logOpen(spec, forwarding);
      forwarding.closed.catch(failed);
      this.#settle();
    } catch (error) {
      failed(error as Error);
    }
  }

  /** The library logs the forwardings of the server. */
  #logOpen({ listen, target }: ForwardSpec, { address, port, path }: Forwarding | LocalForwarding): void {
    const at = path === undefined ? listenText({ address, port }, "localhost") : listen;
    this.#context.log({ level: "info", event: "forwarding", message: `connections to ${at} lead to ${target}` });
  }

  #ended(run: Run, error: Error): void {
    if (this.#run !== run) return;
    this.#run = undefined;
    for (const entry of run.entries.values()) entry.stop.abort();
    this.#fail(error);
  }

  #fail(error: Error): void {
    this.#note(error);
    this.#hasTried = true;
    this.#become("failed");
  }

  #become(state: TunnelStatus["state"]): void {
    this.#state = state;
    this.#since = Date.now();
    this.#settle();
  }

  #settle(): void {
    const run = this.#run;
    const isPending = (entry: Entry): boolean => stateOf(entry) === "pending" && reasonOf(entry) === undefined;
    if (run?.tunnel.state === "open" && ![...run.entries.values()].some(isPending)) this.#hasTried = true;
    this.#context.changed();
  }

  #note(error: unknown): void {
    this.#lastError = { at: Date.now(), message: error instanceof Error ? error.message : String(error) };
  }

  #drain(work: Promise<unknown>): void {
    this.#draining.add(work);
    void work.finally(() => this.#draining.delete(work));
  }
}

/** Frees a port, or gives up after a while, because the server may be gone. */
async function closeEntry({ stop, forwarding }: Entry): Promise<void> {
  stop.abort();
  try {
    await forwarding?.close({ signal: AbortSignal.timeout(freeMs) });
  } catch {
    // A server that refuses, or does not answer. The port is freed with the connection.
  }
}

function stateOf(entry: Entry): ForwardStatus["state"] {
  const { forwarding, error } = entry;
  if (error !== undefined) return isTemporary(entry) ? "pending" : "failed";
  if (forwarding === undefined || forwarding.state === "pending") return "pending";
  return forwarding.state === "open" ? "open" : "failed";
}

/** Whether the same request may succeed soon: the port is taken, or the connection was lost during the request. */
function isTemporary({ spec, error }: Entry): boolean {
  if (!(error instanceof SshError)) return false;
  return spec.wait && !["denied", "misuse"].includes(error.code);
}

function reasonOf({ forwarding, error }: Entry): Error | undefined {
  return error ?? (forwarding !== undefined && "reason" in forwarding ? forwarding.reason : undefined);
}

function forwardStatus(entry: Entry): ForwardStatus {
  const { spec, forwarding } = entry;
  const { type, target } = spec;
  const url = (forwarding !== undefined && "url" in forwarding ? forwarding.url : undefined) ?? spec.url;
  const error = reasonOf(entry)?.message;
  const listen =
    forwarding === undefined || forwarding.path !== undefined
      ? spec.listen
      : listenText({ address: forwarding.address, port: forwarding.port }, "localhost");
  return {
    type,
    listen,
    target,
    state: stateOf(entry),
    ...(url !== undefined && { url }),
    ...(error !== undefined && { error }),
  };
}
