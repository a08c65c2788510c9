/** Runs a host: ports, signals, the PID file, and the service manager. @module */
import { rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { type HostWorkersOptions, type ReloadOptions, TunnelHost, type TunnelHostOptions } from "@postern/node";
import { createNotifier } from "../system/notify.ts";
import { runAgain } from "../system/run-again.ts";
import type { Arrival, HostConnections } from "./connections.ts";
import { serveHealth } from "./health.ts";
import { createListeners, type Listeners } from "./listeners.ts";
import type { HostLogger } from "./logger.ts";
import { logDecisions, logEvents } from "./messages.ts";
import type { HostSetup } from "./setup.ts";
import { systemReason } from "./sshd-config/parse.ts";

/** The parts of a running host besides its setup. */
export interface ServeContext {
  readonly logger: HostLogger;
  readonly connections: HostConnections;
  /** Reads the configuration again. @throws Error with lines for the log */
  readonly reread: () => Promise<HostSetup>;
  /** Called once the host listens. */
  readonly onReady?: () => void;
  /** `-d`: serves one connection, and ends with it */
  readonly isSingle: boolean;
  /** the processes that serve clients; undefined: this one */
  readonly workers: HostWorkersOptions | undefined;
}

/** Creates a host whose events and decisions are logged in the words of sshd. */
export function createLoggedHost(setup: HostSetup, context: Omit<ServeContext, "reread" | "isSingle">): TunnelHost {
  const host = new TunnelHost({ ...optionsOf(setup, context), ...logOf(setup), workers: context.workers });
  if (setup.log.format === "text") logEvents(host, messagesOf(setup, context));
  return host;
}

/** Resolves with the exit status, once a signal has ended the host. */
export async function serve(setup: HostSetup, context: ServeContext): Promise<number> {
  const { logger, connections, isSingle } = context;
  const host = createLoggedHost(setup, context);
  let current = setup;
  let health: Server | undefined;
  let end: (status: number) => void = () => {};
  const ended = new Promise<number>((resolve) => {
    end = resolve;
  });
  const accept = (socket: Socket): void => {
    if (isSingle) listeners.close();
    void serveSocket(host, socket, connections).then(() => {
      if (isSingle) end(0);
    });
  };
  const listeners: Listeners = createListeners(logger, accept);
  if ((await listeners.set(setup.listen)) === 0) {
    logger.write("FATAL", "Cannot bind any address.");
    return 255;
  }
  try {
    health = setup.health && (await serveHealth(host, setup.health));
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    logger.write("FATAL", `Cannot serve health and metrics: ${systemReason(code)}.`);
    listeners.close();
    return 255;
  }
  writePidFile(setup, logger);
  const notifier = createNotifier({ onError: ({ message }) => logger.write("INFO", message) });
  notifier.ready(statusOf(listeners));
  notifier.watch(() => host.state === "open");
  context.onReady?.();

  const reload = async (): Promise<void> => {
    logger.write("INFO", "Received SIGHUP; restarting.");
    notifier.reloading();
    try {
      const next = await context.reread();
      host.reload(reloadable(next, context));
      logger.configure(next.log);
      await listeners.set(next.listen);
      if (current.pidFile !== next.pidFile) removePidFile(current);
      current = next;
      writePidFile(next, logger);
    } catch (error) {
      logger.write("ERROR", `The configuration stays as it was: ${(error as Error).message}`);
    }
    notifier.ready(statusOf(listeners));
  };
  const onHangup = runAgain(reload);
  let isEnding = false;
  const onEnd = (signal: NodeJS.Signals): void => {
    // A second signal does not wait.
    if (isEnding) {
      end(0);
      return;
    }
    isEnding = true;
    logger.write("INFO", `Received signal ${signal === "SIGTERM" ? 15 : 2}; terminating.`);
    notifier.stopping();
    listeners.close();
    removePidFile(current);
    void host.close({ drainMs: current.drainMs }).then(() => end(0));
  };
  process.on("SIGHUP", onHangup).on("SIGTERM", onEnd).on("SIGINT", onEnd);
  const status = await ended;
  process.off("SIGHUP", onHangup).off("SIGTERM", onEnd).off("SIGINT", onEnd);
  listeners.close();
  removePidFile(current);
  health?.close();
  health?.closeAllConnections();
  if (isSingle) await host.close({ drainMs: 0 });
  await notifier.close();
  return status;
}

/** Serves a socket. The log names its address. */
async function serveSocket(host: TunnelHost, socket: Socket, connections: HostConnections): Promise<void> {
  const { remoteAddress, remotePort, localAddress = "UNKNOWN", localPort = 0 } = socket;
  const arrival = { address: remoteAddress ?? "UNKNOWN", port: remotePort ?? 0, localAddress, localPort };
  await serveWith(connections, arrival, () => host.serveSocket(socket));
}

/** `serve` emits `clientopened` before it returns, so that listener learns where this client came from. */
export async function serveWith(
  connections: HostConnections,
  arrival: Arrival,
  serve: () => Promise<void>,
): Promise<void> {
  connections.arriving = arrival;
  const served = serve();
  connections.arriving = undefined;
  await served;
}

function messagesOf(
  { options, isKnown }: HostSetup,
  { logger, connections }: Pick<ServeContext, "logger" | "connections">,
) {
  return {
    logger,
    connections,
    attempts: () => options.limits?.attempts ?? 6,
    ...(isKnown !== undefined && { isKnown }),
  };
}

function optionsOf(setup: HostSetup, context: Pick<ServeContext, "logger" | "connections">): TunnelHostOptions {
  if (setup.log.format !== "text") return setup.options;
  return { ...setup.options, authorize: logDecisions(setup.options.authorize, messagesOf(setup, context)) };
}

function logOf({ log }: HostSetup): Pick<TunnelHostOptions, "log"> {
  if (log.format !== "json") return {};
  return {
    log: ({ level, event, message, ...fields }) =>
      writeJson({ time: new Date().toISOString(), level, event, message, ...fields }),
  };
}

function writeJson(record: object): void {
  process.stdout.write(`${JSON.stringify(record)}\n`);
}

/** The options that a configuration may have or not. */
const optional = {
  ...{ revokedKeys: undefined, methods: undefined, gatewayPorts: undefined, socketMode: undefined, rekey: undefined },
  ...{ algorithms: undefined, userKeys: undefined, versionAddendum: undefined, banner: undefined },
  ...{ keepAlive: undefined, limits: undefined, takeover: undefined, url: undefined },
} satisfies ReloadOptions;

/** All options, so that one that the new configuration lacks has its default again. */
function reloadable(setup: HostSetup, context: Pick<ServeContext, "logger" | "connections">): ReloadOptions {
  return { ...optional, ...optionsOf(setup, context) };
}

function statusOf({ places }: Listeners): string {
  return places.map(({ host, port }) => `listening on ${host.includes(":") ? `[${host}]` : host}:${port}`).join(", ");
}

function writePidFile({ pidFile }: HostSetup, logger: HostLogger): void {
  if (pidFile === undefined) return;
  try {
    writeFileSync(pidFile, `${process.pid}\n`, { mode: 0o644 });
  } catch (error) {
    logger.write(
      "ERROR",
      `Couldn't create pid file "${pidFile}": ${systemReason((error as NodeJS.ErrnoException).code ?? "")}`,
    );
  }
}

function removePidFile({ pidFile }: HostSetup): void {
  if (pidFile !== undefined) rmSync(pidFile, { force: true });
}
