/** Connects, opens the forwardings, runs the program, and returns the exit status of ssh. @module */
import type { ReverseTunnel } from "@postern/node";
import { deferred, type SshConnection } from "@postern/ssh";
import type { Master } from "../mux/context.ts";
import type { MuxForward } from "../mux/forward.ts";
import { ForwardTable } from "../mux/forward-table.ts";
import { type ClientParts, type ClientPlan, createParts } from "./client-parts.ts";
import { describeConnection } from "./connection-info.ts";
import { runLocalCommand } from "./local-command.ts";
import { ClientError, describeFailure } from "./messages.ts";
import { type RunningProgram, startProgram, wantsPty } from "./program.ts";
import { reportTunnel } from "./reports.ts";
import { flush } from "./stdio.ts";

const nothing = new Uint8Array(0);

/** After this time, a server that does not close its side is left. */
const closeMs = 2_000;
/** After this time, new host keys that the server has announced but not proved are left. */
const updateMs = 5_000;
/** How often the number of channels is looked at, once the program has ended. */
const pollMs = 100;

/** Runs the client. Resolves with the exit status; messages are in the log. */
export async function runClient(plan: ClientPlan): Promise<number> {
  return await new Client(plan, await createParts(plan)).run();
}

class Client {
  readonly #plan: ClientPlan;
  readonly #parts: ClientParts;
  readonly #tunnel: ReverseTunnel;
  #openedAt = 0;
  readonly #ended = deferred<number>();
  /** the open forwardings, which ~C and the clients of the master change */
  readonly #table = new ForwardTable((forward) => this.#parts.forwarder.open(forward));
  #master: Master | undefined;
  /** Settles once the master listens, or cannot. A socket that opened after the end would keep the process alive. */
  #starting: Promise<void> | undefined;
  /** `-O stop`: the client ends once no connection goes through it */
  #isStopped = false;
  #endReports: () => void = () => {};
  #program: RunningProgram | undefined;

  constructor(plan: ClientPlan, parts: ClientParts) {
    this.#plan = plan;
    this.#parts = parts;
    this.#tunnel = parts.tunnel;
    this.#tunnel.addEventListener("state", ({ state }) => {
      if (state === "open") this.#openedAt = performance.now();
    });
  }

  async run(): Promise<number> {
    const { line, settings, log } = this.#plan;
    const pty = wantsPty(settings, log);
    const isTunnel = settings.session === "none" && line.stdioForward === undefined;
    this.#endReports = reportTunnel(this.#tunnel, {
      log,
      destination: line.destination ?? "",
      context: this.#parts.context,
      showsStatus: isTunnel && !settings.background && log.level === "info" && !log.isJson,
    });
    try {
      await this.#tunnel.connect();
    } catch (error) {
      return await this.#fail(error);
    }
    const stopSignals = this.#handleSignals();
    this.#tunnel.addEventListener("forwarding", ({ forwarding, state, reason }) => {
      // After a reconnection, the server refuses the port for good.
      if (!settings.exitOnForwardFailure || state !== "closed" || reason === undefined) return;
      this.#ended.reject(new ClientError(remoteFailure("Error", forwarding.path ?? forwarding.port ?? 0)));
    });
    this.#tunnel.closed.then(
      () => this.#ended.resolve(255),
      (error: unknown) => this.#ended.reject(error),
    );
    try {
      return await this.#end(await Promise.race([this.#work(pty), this.#ended.promise]));
    } catch (error) {
      return await this.#fail(error);
    } finally {
      stopSignals();
    }
  }

  /** Everything after the login. Resolves with the exit status. */
  async #work(pty: boolean): Promise<number> {
    const { line, settings, config, log, ready } = this.#plan;
    this.#starting = this.#startMaster();
    await this.#starting;
    if (line.stdioForward === undefined) await this.#openForwardings();
    this.#requestNoMoreSessions(settings.session === "none");
    if (settings.session === "none" && line.stdioForward === undefined) {
      this.#localCommand();
      ready?.();
      // Until a signal, or the end of the connection.
      return await Promise.race([this.#ended.promise, this.#idle()]);
    }
    const connection = await this.#connection();
    log.write("debug1", "Entering interactive session.");
    const program = await startProgram(
      connection,
      {
        settings,
        stdioForward: line.stdioForward,
        log,
        environment: this.#parts.environment,
        onStarted: () => ready?.(),
        onDisconnect: () => this.#ended.resolve(255),
        ...(config.enableEscapeCommandline && { commandLine: () => this.#commandLine() }),
      },
      pty,
    );
    this.#program = program;
    this.#localCommand();
    const status = await program.exit;
    if (this.#master !== undefined && settings.controlPersistMs !== undefined) {
      await Promise.race([this.#ended.promise, this.#idle()]);
    } else await this.#untilNoChannels(connection);
    await Promise.race([this.#parts.updates.settled(AbortSignal.timeout(updateMs)), this.#ended.promise]);
    return status;
  }

  /** Local ports first, then those of the server, as ssh. */
  async #openForwardings(): Promise<void> {
    const { settings, log } = this.#plan;
    for (const forward of this.#parts.forwards.filter(({ type }) => type !== "remote")) {
      try {
        await this.#table.open(forward);
      } catch (error) {
        log.write("error", (error as Error).message);
        const line = "Could not request local forwarding.";
        if (settings.exitOnForwardFailure) throw new ClientError(line);
        log.write("error", line);
      }
    }
    const remote = this.#parts.forwards.filter(({ type }) => type === "remote");
    await Promise.all(remote.map((forward) => this.#openRemote(forward)));
    if (remote.length > 0) log.write("debug1", "All remote forwarding requests processed");
  }

  async #openRemote(forward: MuxForward): Promise<void> {
    const { settings, log } = this.#plan;
    const { listen } = forward;
    try {
      await this.#table.open(forward);
    } catch (error) {
      log.write("debug1", (error as Error).message);
      const at = "path" in listen ? listen.path : listen.port;
      if (settings.exitOnForwardFailure) throw new ClientError(remoteFailure("Error", at));
      log.write("info", remoteFailure("Warning", at));
    }
  }

  /** Asks the server to refuse sessions, which only an attacker would open (OpenSSH PROTOCOL section 2.2). */
  #requestNoMoreSessions(now: boolean): void {
    const request = (): void => {
      const connection = this.#tunnel.connection;
      if (connection !== undefined && /OpenSSH/.test(connection.peer.version))
        connection.notify("no-more-sessions@openssh.com", nothing);
    };
    if (!now || this.#master !== undefined) return;
    request();
    this.#tunnel.addEventListener("state", ({ state }) => state === "open" && request());
  }

  /** `~C`: asks for a line, and runs it. */
  async #commandLine(): Promise<void> {
    const { prompts, config, log } = this.#plan;
    const { runEscapeCommand } = await import("./escape-command.ts");
    const text = await prompts.line("\r\nssh> ").catch(() => "");
    await runEscapeCommand(text, {
      forwards: this.#table,
      runLocal: config.permitLocalCommand === true ? (command) => void runLocalCommand(command) : undefined,
      print: (line) => log.write("info", line),
    });
  }

  #localCommand(): void {
    const { localCommand } = this.#plan.settings;
    if (localCommand !== undefined) runLocalCommand(localCommand);
  }

  /** Listens on ControlPath, if this is a master. */
  async #startMaster(): Promise<void> {
    const { settings, log, prompts } = this.#plan;
    const { controlPath: path, controlMaster } = settings;
    if (path === undefined || controlMaster === "no") return;
    const { startMaster } = await import("../mux/master.ts");
    const levels = { error: "error", info: "info", debug: "debug1" } as const;
    const asks = controlMaster === "ask" || controlMaster === "autoask";
    this.#master = await startMaster({
      path,
      context: {
        pid: process.pid,
        host: this.#plan.line.destination ?? "",
        forwards: this.#table,
        connection: () => this.#tunnel.connection,
        describe: (kind) => this.#describe(kind),
        stopped: () => {
          this.#isStopped = true;
        },
        exit: () => this.#ended.resolve(255),
        log: (level, text) => log.write(levels[level], text),
        ...(asks && { confirm: (question) => prompts.askPermission(question) }),
      },
    });
  }

  #describe(kind: string): string | undefined {
    const { connection } = this.#tunnel;
    if (connection === undefined) return undefined;
    const { local, address: remote } = this.#parts.dialer;
    const { rekeyLimit } = this.#plan.config;
    const ageMs = performance.now() - this.#openedAt;
    return describeConnection(kind, { connection, local, remote, ageMs, rekeyLimit });
  }

  /** Resolves with 255 once the master has stopped, or ControlPersist is over, and nothing uses the connection. */
  async #idle(): Promise<number> {
    const { controlPersistMs = Number.POSITIVE_INFINITY } = this.#plan.settings;
    const master = this.#master;
    // Until something else ends the client.
    if (master === undefined) return await new Promise(() => {});
    let since = performance.now();
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, pollMs).unref());
      const isUsed = !master.isIdle || (this.#tunnel.connection?.channelCount ?? 0) > 0;
      if (isUsed) since = performance.now();
      else if (this.#isStopped || performance.now() - since >= controlPersistMs) return 255;
    }
  }

  /** As ssh, which waits for the connections of its forwardings after the program has ended. */
  async #untilNoChannels(connection: SshConnection): Promise<void> {
    while (connection.channelCount > 0) {
      await Promise.race([new Promise((resolve) => setTimeout(resolve, pollMs)), this.#ended.promise]);
    }
  }

  /** @throws the error that ended the connection, if it was lost right after the login */
  async #connection(): Promise<SshConnection> {
    const { connection } = this.#tunnel;
    if (connection !== undefined) return connection;
    await this.#tunnel.closed;
    throw new ClientError("Connection closed");
  }

  /** As ssh, these signals end the client with 255 once it is connected. Another one ends it at once. */
  #handleSignals(): () => void {
    const signals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;
    const handle = (_signal: NodeJS.Signals, number: number): void => {
      stop();
      this.#plan.log.write("verbose", `Killed by signal ${number}.`);
      this.#ended.resolve(255);
    };
    const stop = (): void => {
      for (const signal of signals) process.off(signal, handle);
    };
    for (const signal of signals) process.on(signal, handle);
    return stop;
  }

  async #end(status: number): Promise<number> {
    const { log } = this.#plan;
    const { host } = this.#parts.context();
    await this.#close();
    if (this.#program?.hasPty === true) log.write("info", `Connection to ${host} closed.`);
    const { wireBytesIn, wireBytesOut } = this.#tunnel.stats();
    log.write("verbose", `Transferred: sent ${wireBytesOut}, received ${wireBytesIn} bytes`);
    log.write("debug1", `Exit status ${status}`);
    await flush(process.stderr);
    return status;
  }

  async #fail(error: unknown): Promise<number> {
    const { log } = this.#plan;
    await this.#close();
    for (const text of describeFailure(error, this.#parts.context())) log.write("fatal", text);
    await flush(process.stderr);
    return 255;
  }

  async #close(): Promise<void> {
    this.#program?.release();
    await this.#starting?.catch(() => {});
    await this.#master?.close();
    await this.#tunnel.close({ signal: AbortSignal.timeout(closeMs) });
    this.#endReports();
    process.stdin.destroy();
  }
}

function remoteFailure(what: "Error" | "Warning", at: string | number): string {
  const name = typeof at === "string" ? "path" : "port";
  return `${what}: remote port forwarding failed for listen ${name} ${at}`;
}
