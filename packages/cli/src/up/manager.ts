/** All tunnels of a configuration. @module */
import type { Log, ReverseTunnel } from "@postern/node";
import type { MeteredTunnel } from "@postern/tunnel";
import type { TunnelsConfig } from "./config/types.ts";
import { ManagedTunnel } from "./managed-tunnel.ts";
import type { TunnelStatus } from "./status.ts";

/** The services that the tunnels need. */
export interface ManagerContext {
  readonly env: NodeJS.ProcessEnv;
  readonly log: Log;
  /** Called after each change of a tunnel. */
  readonly changed: () => void;
}

const stoppedTunnel: MeteredTunnel = {
  state: "closed",
  forwardings: [],
  stats: () => ({
    ...{ accepted: 0, open: 0, refused: 0, bytesIn: 0, bytesOut: 0, stalls: 0 },
    ...{ wireBytesIn: 0, wireBytesOut: 0, rekeys: 0, reconnects: 0, roundTripMs: undefined },
    forwardings: new Map(),
  }),
};

/** How long connections may take to finish, unless the configuration says something else. */
const defaultDrainMs = 5_000;

/** The tunnels of a configuration. Calls that change them must not overlap. */
export class Manager {
  readonly #context: ManagerContext;
  readonly #tunnels = new Map<string, ManagedTunnel>();
  /** Tunnels that are no longer in the configuration, while their connections finish. */
  readonly #leaving = new Set<ManagedTunnel>();
  #drainMs = defaultDrainMs;

  constructor(context: ManagerContext) {
    this.#context = context;
  }

  /** The tunnels that run, by name. */
  get tunnels(): ReadonlyMap<string, ReverseTunnel> {
    const running = [...this.#tunnels].flatMap(([name, { tunnel }]) =>
      tunnel === undefined ? [] : [[name, tunnel] as const],
    );
    return new Map(running);
  }

  /** All tunnels with their figures. One that does not run has none. */
  get metered(): ReadonlyMap<string, MeteredTunnel> {
    return new Map(this.#all.map(({ name, tunnel }) => [name, tunnel ?? stoppedTunnel]));
  }

  get names(): readonly string[] {
    return [...this.#tunnels.keys()];
  }

  /** Whether the first attempt of each tunnel has ended. */
  get hasTried(): boolean {
    return this.#all.every((one) => one.hasTried);
  }

  get isOpen(): boolean {
    return this.#all.every((one) => one.isOpen);
  }

  get isAlive(): boolean {
    return this.#all.every((one) => one.isAlive);
  }

  /** Whether no tunnel runs any more. */
  get hasEnded(): boolean {
    return this.#all.every((one) => one.hasEnded);
  }

  get status(): readonly TunnelStatus[] {
    return this.#all.map((one) => one.status());
  }

  /** Starts, changes and stops tunnels so that they match the configuration. */
  async apply({ tunnels, drainMs = defaultDrainMs }: TunnelsConfig): Promise<void> {
    this.#drainMs = drainMs;
    // Ports are given up before others request them.
    const removed = this.#all.filter(({ name }) => !Object.hasOwn(tunnels, name));
    await Promise.all(removed.map((one) => this.#remove(one)));
    const work = Object.entries(tunnels).map(async ([name, config]) => {
      const tunnel = this.#tunnels.get(name);
      if (tunnel !== undefined) return await this.#update(tunnel, config);
      const added = new ManagedTunnel(name, config, {
        env: this.#context.env,
        log: (record) => this.#context.log({ ...record, tunnel: name }),
        drainMs: () => this.#drainMs,
        changed: () => this.#context.changed(),
      });
      this.#tunnels.set(name, added);
      await added.start();
    });
    await Promise.all(work);
  }

  /** Starts the tunnels again that have failed or were stopped. */
  async restartEnded(): Promise<void> {
    await Promise.all(this.#all.filter((one) => one.hasEnded).map((one) => one.start()));
  }

  /** Stops tunnels. Resolves once their connections have finished, or their time is over. */
  async stop(names: readonly string[] = this.names): Promise<void> {
    const stopped = names.flatMap((name) => this.#tunnels.get(name) ?? []);
    await Promise.all(stopped.map((one) => one.stop()));
    const waiting = names.length === this.#tunnels.size ? [...stopped, ...this.#leaving] : stopped;
    await Promise.all(waiting.map((one) => one.drained()));
  }

  /** Ends the wait of {@link stop} for connections. */
  abortDrain(): void {
    for (const one of [...this.#all, ...this.#leaving]) one.abortDrain();
  }

  get #all(): readonly ManagedTunnel[] {
    return [...this.#tunnels.values()];
  }

  async #update(tunnel: ManagedTunnel, config: ManagedTunnel["config"]): Promise<void> {
    const isSame = JSON.stringify(config) === JSON.stringify(tunnel.config);
    // An alias may have changed, although the file has not.
    if (isSame && config.ssh === undefined) return;
    const hasFailed = tunnel.hasEnded && !isSame;
    await tunnel.update(config);
    if (hasFailed) await tunnel.start();
  }

  async #remove(tunnel: ManagedTunnel): Promise<void> {
    this.#tunnels.delete(tunnel.name);
    this.#leaving.add(tunnel);
    await tunnel.stop();
    void tunnel.drained().finally(() => this.#leaving.delete(tunnel));
  }
}
