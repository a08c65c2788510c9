/** The listening end of a reverse tunnel: an SSH server that forwards ports and nothing else. @module */
import type { Algorithms } from "@postern/crypto";
import { createFingerprint } from "@postern/keys";
import { type BytePipe, checkOptions, TypedEventTarget } from "@postern/ssh";
import { expectNumber, expectType, SshError } from "@postern/wire";
import { Admission, type AdmissionRefusal } from "./admission.ts";
import { ClientLogin } from "./client-login.ts";
import type { HostClient } from "./client-view.ts";
import { HostClientEvent, type HostEvent, type HostEvents, RefusalEvent, TakeoverEvent } from "./events.ts";
import { clientMemory, HostBudget } from "./host-budget.ts";
import { Client, type ServedClient } from "./host-client.ts";
import type { HostContext } from "./host-context.ts";
import { createHostLog, type HostLog } from "./host-log.ts";
import { encodeHostMetrics, HostCounters } from "./host-metrics.ts";
import { plainIp } from "./ip.ts";
import { joinHost, revokedReason } from "./membership.ts";
import {
  type CheckedHostOptions,
  checkHostOptions,
  type ReloadOptions,
  reloadedOptions,
  type TunnelHostOptions,
} from "./options.ts";
import type { Address, HostPlatform } from "./platform.ts";
import { RefusedPipes } from "./refused-pipes.ts";
import { type Revocation, Revocations } from "./revocations.ts";
import { Takeovers } from "./takeover.ts";
import { checkWorkerOptions, type HostWorker, HostWorkers, type PathReservations } from "./workers/host-worker.ts";
import type { PassedSocket } from "./workers/passing-sockets.ts";
import { workerSupports } from "./workers/worker-support.ts";

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

const reasons: Readonly<Record<AdmissionRefusal, string>> = {
  closing: "the server is closing",
  connections: "too many connections",
  startups: "too many connections that have not logged in",
  startupsPerSource: "too many connections of this source that have not logged in",
  totalMemory: "the memory for all clients is in use",
  workers: "no worker is running",
  penalties: "this source is refused until the penalty for its earlier failures has passed",
};

/**
 * An SSH server for reverse tunnels, over any byte pipe.
 *
 * Events ({@link HostEvents}): `clientopened`, `clientclosed`, `login`, `refusal`, `forwardingopened`,
 * `forwardingclosed`, `visitor`, `takeover`, `workerclosed`. No listener is required.
 */
export class TunnelHost extends TypedEventTarget<HostEvents> {
  readonly #context: HostContext;
  readonly #log: HostLog;
  readonly #clients = new Set<ServedClient>();
  /** The options as given, which `reload` changes, and as checked. */
  #given: TunnelHostOptions;
  #options: CheckedHostOptions;
  #workers: HostWorkers | undefined;
  readonly #whenEmpty: (() => void)[] = [];
  #nextId = 1;
  readonly #refusals = new RefusedPipes();
  #closing = false;

  /** @throws SshError `misuse` if an option is unknown, missing or out of range */
  constructor(options: TunnelHostOptions, platform: HostPlatform) {
    super();
    this.#given = options;
    this.#options = checkHostOptions(options, platform);
    this.#log = createHostLog(this.#options.log);
    this.#context = this.#createContext(platform);
    workerSupports.set(this, {
      createWorkers: (paths, known) => this.#createWorkers(paths, known),
      serveIn: (worker, socket, given) => this.#serveIn(worker, socket, given),
    });
  }

  /** The connected clients, including those that have not logged in. */
  get clients(): readonly HostClient[] {
    return [...this.#clients];
  }

  /** `closing` once `close` has been called. */
  get state(): "open" | "closing" {
    return this.#closing ? "closing" : "open";
  }

  /**
   * Returns counters and gauges as OpenMetrics text: `postern_host_connections_total` and others. No label has a value
   * that a peer can choose.
   */
  metrics(): string {
    const { counters, budget } = this.#context;
    return encodeHostMetrics(counters, [...this.#clients], budget.memory);
  }

  /**
   * Refuses a key or a user from now on, and disconnects the clients that logged in with it at once. Returns their
   * number. The revocation lasts as long as this object: a key that must stay revoked belongs into `revokedKeys`, too.
   *
   * @throws SshError `misuse` unless exactly one of `key`, `fingerprint` and `user` is set; `key` if it is malformed
   * @example
   * host.revoke({ fingerprint: "SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDYzMtFDqMRQH+xi8E" });
   */
  revoke(revocation: Revocation): number {
    this.#context.revocations.add(revocation);
    return this.#dropRevoked();
  }

  /** Undoes a call of `revoke` with the same key or user. Throws as `revoke` does. */
  reinstate(revocation: Revocation): void {
    this.#context.revocations.remove(revocation);
  }

  /**
   * Replaces options without disconnecting anybody. Options that are not passed remain, as do limits that are not named
   * in `limits`; those that are passed as `undefined` have their defaults again. New connections use all of them, and a
   * login in progress the new `authorize`. Existing connections keep their host keys, their permissions, and `channels`
   * and `memory` of the limits; the other limits apply to their next requests. If `revokedKeys` revokes the key of a
   * client, that client is disconnected.
   *
   * @throws SshError `misuse` for wrong options, `key` for malformed `revokedKeys`; then nothing changes
   */
  reload(options: ReloadOptions): void {
    const given = reloadedOptions(this.#given, options);
    const { platform, admission, counters } = this.#context;
    const checked = checkHostOptions(given, platform);
    if (this.#workers !== undefined) checkWorkerOptions(checked, this.#workers.known);
    this.#options = checked;
    this.#given = given;
    this.#workers?.reloaded();
    admission.limits = this.#options.limits;
    counters.reloads++;
    const names = Object.keys(options);
    this.#log.write("info", "reload", `the options ${names.join(", ")} were replaced`, { options: names });
    this.#dropRevoked();
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
    const refusal = this.#enter(origin);
    if (refusal !== undefined) return this.#refuse(pipe, refusal, origin);
    const client = new Client(this.#nextId++, origin, this.#context);
    await this.#run(client, () => client.run(pipe));
  }

  async #run(client: ServedClient, run: () => Promise<SshError | undefined>): Promise<void> {
    const { emit } = this.#context;
    this.#clients.add(client);
    emit(new HostClientEvent("clientopened", client));
    const reason = await run();
    this.#clients.delete(client);
    emit(new HostClientEvent("clientclosed", client, reason));
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

  #createContext(platform: HostPlatform): HostContext {
    const options = (): CheckedHostOptions => this.#options;
    const counters = new HostCounters();
    const emit = (event: HostEvent): void => {
      counters.count(event);
      this.#log.event(event);
      this.dispatchEvent(event);
    };
    const budget = new HostBudget(() => options().limits);
    const context: HostContext = {
      get options() {
        return options();
      },
      platform,
      counters,
      emit,
      budget,
      ports: {
        take: ({ account }) => budget.take(account, "forwardings"),
        giveBack: ({ account }) => budget.giveBack(account, "forwardings"),
      },
      join: ({ origin }) => joinHost(origin?.host, context),
      decider: (client) => new ClientLogin(client, context),
      urlOf: (forwarding, client) => options().url?.(forwarding, client),
      admission: new Admission(options().limits, platform.random, () => performance.now()),
      revocations: new Revocations(platform.sha256),
      takeovers: new Takeovers((client, previous, place) => emit(new TakeoverEvent(client, previous, place))),
      fingerprint: createFingerprint(platform.sha256),
    };
    return context;
  }

  #createWorkers(paths: PathReservations, known: Algorithms): HostWorkers {
    checkWorkerOptions(this.#options, known);
    this.#workers = new HostWorkers(this.#context, paths, known);
    return this.#workers;
  }

  async #serveIn(worker: HostWorker | undefined, socket: PassedSocket, options: ServeClientOptions): Promise<void> {
    const origin = readOrigin(options);
    const refusal = worker === undefined ? "workers" : this.#enter(origin);
    if (refusal !== undefined || worker === undefined) {
      this.#refuse(socket.open(), refusal ?? "workers", origin);
      return;
    }
    const client = worker.serve(this.#nextId++, origin, socket);
    await this.#run(client, () => client.run());
  }

  /** Returns why a new connection is refused, or counts it. */
  #enter(origin: Address | undefined): AdmissionRefusal | undefined {
    if (this.#closing) return "closing";
    const { admission, budget } = this.#context;
    if (budget.free < clientMemory) return "totalMemory";
    const refusal = admission.enter(origin?.host, this.#clients.size);
    if (refusal === undefined) budget.takeMemory(clientMemory);
    return refusal;
  }

  /** Disconnects clients whose user or key is revoked. Returns their number. */
  #dropRevoked(): number {
    let dropped = 0;
    for (const client of this.#clients) {
      if (client.login === undefined) continue;
      const reason = revokedReason(client.account, client.keys, this.#context);
      if (reason === undefined) continue;
      dropped++;
      void client.drop(new SshError("closed", reason));
    }
    if (dropped > 0) {
      this.#context.counters.revoked += dropped;
      this.#log.write("warn", "revoked", `${dropped} clients were disconnected`, { clients: dropped });
    }
    return dropped;
  }

  #refuse(pipe: BytePipe, refusal: AdmissionRefusal, origin: Address | undefined): void {
    this.#refusals.refuse(pipe);
    const limit = refusal === "closing" || refusal === "workers" ? undefined : refusal;
    this.#context.emit(new RefusalEvent("connection", reasons[refusal], undefined, origin, limit));
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
