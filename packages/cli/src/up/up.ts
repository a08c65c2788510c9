/** The life of `postern up`: its tunnels, reloads, control socket, health checks and end. @module */
import type { LogFields, LogLevel } from "@postern/ssh";
import type { LogSink } from "../system/log.ts";
import type { Notifier } from "../system/notify.ts";
import { readConfig } from "./config/read-config.ts";
import type { TunnelsConfig } from "./config/types.ts";
import type { ControlRequest } from "./control/protocol.ts";
import { type ControlServer, listenForControl } from "./control/server.ts";
import { socketPaths } from "./control/socket-path.ts";
import { type HealthServer, listenForHealth } from "./health.ts";
import { Manager } from "./manager.ts";
import { statusLine, type UpStatus } from "./status.ts";
import { watchFile } from "./watch-file.ts";

/** Options of {@link startUp}. */
export interface UpOptions {
  /** the absolute path of the configuration */
  readonly file: string;
  readonly config: TunnelsConfig;
  readonly env: NodeJS.ProcessEnv;
  readonly sink: LogSink;
  readonly notifier: Notifier;
}

/** The tunnels in use. */
export interface Up {
  /** the control socket */
  readonly control: string;
  /** the port of the HTTP server for health checks, if there is one */
  readonly healthPort: () => number | undefined;
  status(): UpStatus;
  /** Handles a request of the control socket. */
  handle(request: ControlRequest): Promise<unknown>;
  /** Reads the configuration again. With `restart`, also starts what has failed or was stopped. */
  reload(options?: { readonly restart?: boolean }): Promise<void>;
  /** Frees all ports, and lets connections finish. The second call ends them. */
  stop(): void;
  /** the exit status */
  readonly ended: Promise<number>;
}

/** Starts the tunnels. @throws Error if another process runs them, or an address cannot be used */
export async function startUp(options: UpOptions): Promise<Up> {
  const { config, env } = options;
  const up = new Process(options);
  const paths = socketPaths(options.file, config.control, env);
  const control = await listenForControl(paths, (request) => up.handle(request));
  try {
    await up.start(control);
  } catch (error) {
    await control.close();
    throw error;
  }
  return up;
}

class Process implements Up {
  readonly ended: Promise<number>;
  readonly #options: UpOptions;
  readonly #manager: Manager;
  readonly #startedAt = Date.now();
  #config: TunnelsConfig;
  #loadedAt = Date.now();
  #configError: string | undefined;
  #control: ControlServer | undefined;
  #health: HealthServer | undefined;
  #unwatch: (() => void) | undefined;
  /** Changes happen one after the other. */
  #work: Promise<unknown> = Promise.resolve();
  #isReady = false;
  #statusLine = "";
  #stopping: Promise<void> | undefined;
  #end: (status: number) => void = () => {};
  #statusTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: UpOptions) {
    this.#options = options;
    this.#config = options.config;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#manager = new Manager({ env: options.env, log: options.sink.log, changed: () => this.#changed() });
  }

  get control(): string {
    return this.#control?.path ?? "";
  }

  healthPort(): number | undefined {
    return this.#health?.port;
  }

  async start(control: ControlServer): Promise<void> {
    this.#control = control;
    await this.#setHealth(this.#config);
    this.#options.notifier.watch(() => this.#manager.isAlive);
    await this.#enqueue(() => this.#manager.apply(this.#config));
    this.#setWatch(this.#config);
    this.#changed();
  }

  status(): UpStatus {
    return {
      pid: process.pid,
      config: this.#options.file,
      startedAt: this.#startedAt,
      loadedAt: this.#loadedAt,
      ...(this.#configError !== undefined && { configError: this.#configError }),
      tunnels: this.#manager.status,
    };
  }

  async handle(request: ControlRequest): Promise<unknown> {
    switch (request.command) {
      case "status":
        return this.status();
      case "reload":
        await this.reload({ restart: true });
        if (this.#configError !== undefined) throw new Error(this.#configError);
        return undefined;
      case "down": {
        const { names } = request;
        if (names === undefined) return await this.#stopAll();
        const unknown = names.filter((name) => !this.#manager.names.includes(name));
        if (unknown.length > 0) {
          const known = this.#manager.names.join(", ");
          throw new Error(
            `expected names of tunnels (${known.slice(0, 1000)}), got ${unknown.join(", ").slice(0, 200)}`,
          );
        }
        await this.#enqueue(() => this.#manager.stop(names));
        this.#log("info", "down", `stopped ${names.join(", ")}`);
        return undefined;
      }
      default:
        return request satisfies never;
    }
  }

  async reload({ restart = false }: { readonly restart?: boolean } = {}): Promise<void> {
    await this.#enqueue(async () => {
      if (this.#stopping !== undefined) return;
      this.#options.notifier.reloading();
      try {
        const config = await readConfig(this.#options.file, this.#options.env);
        await this.#apply(config);
        this.#configError = undefined;
        this.#loadedAt = Date.now();
        this.#log("info", "reloaded", "the configuration was read again");
      } catch (error) {
        this.#configError = (error as Error).message;
        this.#log("error", "config", `the configuration is not used: ${this.#configError}`);
      }
      if (restart) await this.#manager.restartEnded();
      this.#statusLine = statusLine(this.status());
      this.#options.notifier.ready(this.#statusLine);
    });
  }

  stop(): void {
    if (this.#stopping === undefined) void this.#stopAll();
    else this.#manager.abortDrain();
  }

  async #apply(config: TunnelsConfig): Promise<void> {
    await this.#setHealth(config);
    this.#options.sink.setLevel(config.log?.level ?? "info");
    if (config.control !== this.#config.control)
      this.#log("warn", "control", "the new path of the control socket is used after the next start");
    this.#config = config;
    this.#setWatch(config);
    await this.#manager.apply(config);
  }

  /** Listens on the address of the configuration, before the previous one is given up. */
  async #setHealth({ health }: TunnelsConfig): Promise<void> {
    const isSame = JSON.stringify(health) === JSON.stringify(this.#config.health);
    if (isSame && this.#health !== undefined) return;
    const previous = this.#health;
    this.#health =
      health === undefined
        ? undefined
        : await listenForHealth(this.#manager, health.address ?? "127.0.0.1", health.port);
    await previous?.close();
  }

  #setWatch({ watch = true }: TunnelsConfig): void {
    if (!watch) {
      this.#unwatch?.();
      this.#unwatch = undefined;
    } else this.#unwatch ??= watchFile(this.#options.file, () => void this.reload());
  }

  #stopAll(): Promise<void> {
    this.#stopping ??= this.#closeAll();
    return this.#stopping;
  }

  async #closeAll(): Promise<void> {
    this.#options.notifier.stopping();
    this.#unwatch?.();
    this.#log("info", "stopping", "all tunnels are being closed");
    await this.#enqueue(() => this.#manager.stop());
    await this.#finish(0);
  }

  async #finish(status: number): Promise<void> {
    clearTimeout(this.#statusTimer);
    this.#unwatch?.();
    await this.#health?.close();
    // The client of `postern down` waits for its answer, which is sent before the socket closes.
    setImmediate(() => void this.#control?.close().then(() => this.#end(status)));
  }

  /** Runs changes one after the other. */
  async #enqueue(work: () => Promise<void>): Promise<void> {
    const previous = this.#work;
    const done = previous.then(work);
    this.#work = done.catch(() => {});
    await done;
  }

  #changed(): void {
    if (this.#stopping !== undefined || this.#control === undefined) return;
    // Several changes at once are one.
    this.#statusTimer ??= setTimeout(() => {
      this.#statusTimer = undefined;
      this.#report();
    }, 0);
  }

  #report(): void {
    if (this.#stopping !== undefined) return;
    const { notifier } = this.#options;
    if (this.#manager.hasEnded) {
      const hasFailed = this.#manager.status.some(({ state }) => state === "failed");
      this.#stopping = this.#finish(hasFailed ? 255 : 0);
      this.#log(
        hasFailed ? "error" : "info",
        "ended",
        hasFailed ? "every tunnel has failed" : "every tunnel was stopped",
      );
      return;
    }
    const line = statusLine(this.status());
    const isReady = this.#manager.hasTried;
    if (isReady && !this.#isReady) notifier.ready(line);
    else if (line !== this.#statusLine) notifier.status(line);
    this.#isReady ||= isReady;
    this.#statusLine = line;
  }

  #log(level: LogLevel, event: string, message: string, fields: LogFields = {}): void {
    this.#options.sink.log({ ...fields, level, event, message });
  }
}
