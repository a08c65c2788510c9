/** The UNIX sockets of a TunnelHost: those that its clients listen on, and those that they connect to. @module */
import { chmodSync } from "node:fs";
import { lstat, realpath, unlink } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { basename, dirname, join } from "node:path";
import { clearTimeout, setTimeout } from "node:timers";
import type { PathReservations } from "@postern/host";
import { type BytePipe, onAbort } from "@postern/ssh";
import { maxTimerMs, quote, SshError } from "@postern/wire";
import { reasonOf } from "./dial.ts";
import { socketPipe } from "./socket.ts";

/** How long a program that listens on a path may take to accept a connection before its socket counts as used. */
const staleTimeoutMs = 1_000;

/**
 * The paths that this process listens on or is about to. They are in use without a probe, which would remove the file
 * of a request that binds at the same time, and would be a visitor of another client.
 */
const held = new Set<string>();

/** Reserves the paths of UNIX sockets, in this process or over all processes of a host. */
export interface Reservations {
  /** Returns `false` if the path is reserved. */
  reserve(key: string): boolean | Promise<boolean>;
  release(key: string): void;
}

/** The paths of this process and its workers. */
export const pathReservations: PathReservations = {
  reserve(key) {
    if (held.has(key)) return false;
    held.add(key);
    return true;
  },
  release(key) {
    held.delete(key);
  },
};

/**
 * Listens on a UNIX socket with a mode. Removes a file that a host left behind: a socket of this user on which nothing
 * listens. Any other file stays.
 *
 * @throws SshError `connect` with the system's reason, such as EADDRINUSE
 */
export async function listenOnSocket(
  path: string,
  { mode }: { readonly mode: number },
  onVisitor: (visitor: BytePipe) => void,
  reservations: Reservations = pathReservations,
): Promise<{ close(): Promise<void> }> {
  const place = await realpath(dirname(path)).catch((cause: unknown) => {
    throw failure(path, cause);
  });
  const key = join(place, basename(path));
  if (!(await reservations.reserve(key))) throw failure(path, inUse());
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    // Without a listener, an 'error' of a socket that is not in use yet would end the process.
    socket.on("error", () => {});
    onVisitor(socketPipe(socket));
  });
  try {
    await bindAfterStale(server, path, mode);
  } catch (error) {
    reservations.release(key);
    throw failure(path, error);
  }
  return {
    // The callback of server.close() would wait for every accepted connection to end.
    close: async () => {
      if (!server.listening) return;
      server.close();
      await new Promise((resolve) => setImmediate(resolve));
      reservations.release(key);
    },
  };
}

/** Connects to a UNIX socket. @throws SshError `connect`, `timeout` or `aborted` */
export function dialSocket(
  path: string,
  { signal, timeoutMs }: { readonly signal: AbortSignal | undefined; readonly timeoutMs: number },
): Promise<BytePipe> {
  return new Promise((resolve, reject) => {
    const expected = `expected a connection to ${quote(path)}`;
    const aborted = (): SshError => new SshError("aborted", `${expected}, got an abort`, { cause: signal?.reason });
    if (signal?.aborted) {
      reject(aborted());
      return;
    }
    const socket = connect({ path, allowHalfOpen: true });
    const settle = (error: SshError | undefined): void => {
      clearTimeout(deadline);
      stopListening();
      socket.off("connect", onConnect).off("error", onError);
      if (error === undefined) resolve(socketPipe(socket));
      else {
        socket.on("error", () => {}).destroy();
        reject(error);
      }
    };
    const onConnect = (): void => settle(undefined);
    const onError = (cause: Error): void => settle(failure(path, cause, "connect to"));
    const late = new SshError("timeout", `${expected} within ${timeoutMs} ms, got no answer`);
    const deadline = setTimeout(() => settle(late), Math.min(timeoutMs, maxTimerMs));
    const stopListening = onAbort(signal, () => settle(aborted()));
    socket.on("connect", onConnect).on("error", onError);
  });
}

async function bindAfterStale(server: Server, path: string, mode: number): Promise<void> {
  try {
    await bind(server, path, mode);
  } catch (error) {
    if (systemCode(error) !== "EADDRINUSE" || !(await isStale(path))) throw error;
    await unlink(path).catch(() => {});
    await bind(server, path, mode);
  }
}

function bind(server: Server, path: string, mode: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (cause: Error): void => reject(cause);
    server.once("error", onError);
    try {
      bindWithMode(server, path, mode);
    } catch (error) {
      // A socket without its mode would be open to others.
      server.close();
      reject(error as Error);
      return;
    }
    server.once("listening", () => {
      server.off("error", onError);
      // accept() may fail temporarily, for example with too many open files.
      server.on("error", () => {});
      resolve();
    });
  });
}

/**
 * An exclusive `listen` binds a path before it returns, so the mask applies to nothing else of this thread. Other
 * threads may create files at the same moment, so the mask only takes permissions away.
 */
function bindWithMode(server: Server, path: string, mode: number): void {
  let previous: number | undefined;
  try {
    previous = process.umask(0o177);
  } catch {
    // A worker thread cannot set the mask.
  }
  try {
    server.listen({ path, exclusive: true });
    // Not bound: the file is another's, and `error` follows.
    if (server.listening && (previous === undefined || mode !== 0o600)) chmodSync(path, mode);
  } finally {
    if (previous !== undefined) process.umask(previous);
  }
}

async function isStale(path: string): Promise<boolean> {
  const file = await lstat(path).catch(() => undefined);
  if (file === undefined || !file.isSocket() || file.uid !== process.geteuid?.()) return false;
  try {
    const pipe = await dialSocket(path, { signal: undefined, timeoutMs: staleTimeoutMs });
    pipe.abort();
    return false;
  } catch (error) {
    return systemCode((error as SshError).cause) === "ECONNREFUSED";
  }
}

function failure(path: string, cause: unknown, what = "listen on"): SshError {
  return new SshError("connect", `expected to ${what} ${quote(path)}, got ${reasonOf(cause as Error)}`, { cause });
}

function inUse(): Error {
  return Object.assign(new Error("listen EADDRINUSE: address already in use"), { code: "EADDRINUSE" });
}

function systemCode(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}
