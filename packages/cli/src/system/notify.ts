/**
 * Messages to a service manager: sd_notify(3).
 *
 * Node.js cannot send to a UNIX datagram socket, so the program `systemd-notify` sends each message. systemd attributes
 * a message to the process that sent it, so the unit needs `NotifyAccess=all`.
 * @module
 */
import { spawn } from "node:child_process";
import { sanitizeText } from "@postern/wire";

/** Options of {@link createNotifier}. */
export interface NotifierOptions {
  /**
   * Has `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`. They are removed, so that commands that this process
   * starts do not inherit them. Default: the environment of this process.
   */
  readonly env?: NodeJS.ProcessEnv;
  /** Called once, with the first message that could not be sent. */
  readonly onError?: (error: Error) => void;
}

/** Sends messages to the service manager. Without one, the methods do nothing. They never throw. */
export interface Notifier {
  /** whether a service manager waits for messages */
  readonly isEnabled: boolean;
  /** milliseconds between two messages of {@link watch}: half of `WATCHDOG_USEC`; `undefined` without a watchdog */
  readonly watchdogMs: number | undefined;
  /** The service is ready, or has finished a reload. */
  ready(status?: string): void;
  /** A reload begins. `ready` ends it. */
  reloading(): void;
  /** The service begins to end. */
  stopping(): void;
  /** One line for `systemctl status`. */
  status(text: string): void;
  /** Sends WATCHDOG=1 at half the time that the manager allows, while `isAlive` returns true. */
  watch(isAlive: () => boolean): void;
  /** Ends the watch. Resolves once all messages have been sent, or could not be. */
  close(): Promise<void>;
}

/** The longest time for one message. systemd-notify itself waits up to 5 s until the manager has handled it. */
const sendTimeoutMs = 10_000;
const maxStatus = 512;
const mostWaiting = 16;
const states: ReadonlySet<string> = new Set(["READY", "RELOADING", "STOPPING"]);

/** Creates the notifier of a process. */
export function createNotifier(options: NotifierOptions = {}): Notifier {
  const { env = process.env, onError = () => {} } = options;
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: usec, WATCHDOG_PID: pid, PATH = "" } = env;
  for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete env[name];
  const isEnabled = socket !== undefined && socket !== "";
  const isWatched = isEnabled && /^[1-9]\d{0,15}$/.test(usec ?? "") && [undefined, String(process.pid)].includes(pid);
  const watchdogMs = isWatched ? Number(usec) / 2000 : undefined;
  /** Messages that wait for the one in flight. */
  const waiting: Map<string, string>[] = [];
  let sending: Promise<void> | undefined;
  let hasFailed = false;
  let timer: ReturnType<typeof setInterval> | undefined;

  const sendAll = async (): Promise<void> => {
    for (let message = waiting.shift(); message !== undefined; message = waiting.shift()) {
      const assignments = [...message].map(([name, value]) => `${name}=${value}`);
      try {
        await runSystemdNotify(assignments, { PATH, NOTIFY_SOCKET: socket });
      } catch (error) {
        if (!hasFailed) onError(error as Error);
        hasFailed = true;
      }
    }
    sending = undefined;
  };
  const send = (assignments: Readonly<Record<string, string>>): void => {
    if (!isEnabled) return;
    const last = waiting.at(-1);
    // Each message has one state. systemd waits for RELOADING=1 and READY=1 of a reload in turn (Type=notify-reload).
    const hasState = (names: Iterable<string>): boolean => [...names].some((name) => states.has(name));
    if (last === undefined || (hasState(last.keys()) && hasState(Object.keys(assignments)))) {
      if (waiting.length >= mostWaiting) waiting.shift();
      waiting.push(new Map(Object.entries(assignments)));
    } else for (const [name, value] of Object.entries(assignments)) last.set(name, value);
    sending ??= sendAll();
  };
  const statusOf = (text: string): string => sanitizeText(text).slice(0, maxStatus);
  return {
    isEnabled,
    watchdogMs,
    ready: (status) => send({ READY: "1", ...(status !== undefined && { STATUS: statusOf(status) }) }),
    reloading() {
      // Both in one message (sd_notify(3)). The clock of hrtime is CLOCK_MONOTONIC on Linux.
      send({ RELOADING: "1", MONOTONIC_USEC: String(process.hrtime.bigint() / 1000n) });
    },
    stopping: () => send({ STOPPING: "1" }),
    status: (text) => send({ STATUS: statusOf(text) }),
    watch(isAlive) {
      if (watchdogMs === undefined) return;
      clearInterval(timer);
      const beat = (): void => {
        if (isAlive()) send({ WATCHDOG: "1" });
      };
      beat();
      timer = setInterval(beat, watchdogMs);
      timer.unref();
    },
    async close() {
      clearInterval(timer);
      await sending;
    },
  };
}

/** Sends one message. */
function runSystemdNotify(message: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { env, stdio: "ignore", timeout: sendTimeoutMs } as const;
    // Not a part of our process group: an interrupt of the terminal must not lose STOPPING=1.
    const child = spawn("systemd-notify", message, { ...options, detached: true });
    child.once("error", (cause) =>
      reject(new Error(`expected to run systemd-notify, got ${cause.message}`, { cause })),
    );
    child.once("close", (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`expected systemd-notify to send a message, got ${signal ?? `status ${code}`}`));
    });
  });
}
