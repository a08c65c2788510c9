/** UNIX sockets: connecting to one, and listening on one. Named pipes on Windows. @module */
import { chmodSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { clearTimeout, setTimeout } from "node:timers";
import { type BytePipe, setRef } from "@postern/ssh";
import {
  createSpecialTargets,
  type Dial,
  type LocalListener,
  type PendingDial,
  type SpecialTargets,
  type Target,
} from "@postern/tunnel";
import { type Bytes, maxTimerMs, quote, SshError } from "@postern/wire";
import { dialTcpTarget, reasonOf } from "./dial.ts";
import { socketPipe } from "./socket.ts";

const isWindows = process.platform === "win32";
/** Bytes of `sun_path` without its NUL, see unix(7). Some versions of libuv cut a longer path. */
const longestPath = process.platform === "linux" ? 107 : 103;

/** Connects to a target over TCP, TLS or a UNIX socket. */
export const dialTarget: Dial<Target> = (target, timeoutMs, connected, failed, preface) =>
  "path" in target
    ? dialPath(target.path, timeoutMs, connected, failed, preface)
    : dialTcpTarget(target, timeoutMs, connected, failed, preface);

export const specialTargets: SpecialTargets = /* @__PURE__ */ createSpecialTargets({ dialsPaths: true });

function dialPath(
  path: string,
  timeoutMs: number,
  connected: (pipe: BytePipe) => void,
  failed: (error: SshError) => void,
  preface: Bytes | undefined,
): PendingDial {
  const expected = `expected a connection to ${quote(path)}`;
  const invalid = lengthError(path);
  if (invalid !== undefined) {
    queueMicrotask(() => failed(invalid));
    return { abort() {} };
  }
  const socket = connect({ path, allowHalfOpen: true });
  let isOver = false;
  const finish = (): void => {
    isOver = true;
    clearTimeout(deadline);
    socket.off("connect", onConnect).off("error", onError);
  };
  const fail = (error: SshError): void => {
    if (isOver) return;
    finish();
    // Without a listener, a later 'error' would end the process.
    socket.on("error", () => {}).destroy();
    failed(error);
  };
  const onConnect = (): void => {
    finish();
    if (preface !== undefined) socket.write(preface);
    connected(socketPipe(socket));
  };
  const onError = (cause: Error): void =>
    fail(new SshError("connect", `${expected}, got ${reasonOf(cause)}`, { cause }));
  const late = (): void => fail(new SshError("timeout", `${expected} within ${timeoutMs} ms, got no answer`));
  const deadline = setTimeout(late, Math.min(timeoutMs, maxTimerMs));
  socket.on("connect", onConnect).on("error", onError);
  return {
    abort: (cause) => fail(new SshError("aborted", `the connection to ${quote(path)} was aborted`, { cause })),
  };
}

/**
 * Listens on a UNIX socket, which only the user of this process may connect to (mode 0600). `onSocket` gets paused
 * sockets with half-close on.
 *
 * @throws SshError `connect` with the path and the system's reason, such as EADDRINUSE if a file is there; `misuse` for
 * a path that is too long, or of the abstract namespace of Linux, which has no permissions
 */
export async function listenOnPath(path: string, onSocket: (socket: Socket) => void): Promise<LocalListener> {
  const invalid = lengthError(path);
  if (invalid !== undefined) throw invalid;
  if (path.includes("\0")) throw new SshError("misuse", "expected the path of a file, got one with a NUL");
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    socket.on("error", () => {});
    onSocket(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.on("error", (cause) => {
      const hint = reasonOf(cause) === "EADDRINUSE" ? ": if no program listens there, remove the file" : "";
      const message = `expected to listen on ${quote(path)}, got ${reasonOf(cause)}${hint}`;
      reject(new SshError("connect", message, { cause }));
    });
    const onListening = (): void => {
      try {
        // For a worker of node:cluster, the primary process has bound the path.
        if (!isWindows) chmodSync(path, 0o600);
        resolve();
      } catch (cause) {
        server.close();
        reject(new SshError("connect", `expected to protect ${quote(path)}, got ${reasonOf(cause)}`, { cause }));
      }
    };
    withMask(() => server.listen({ path }, onListening));
  });
  return {
    port: 0,
    setRef: (keepsAlive) => setRef(server, keepsAlive),
    // The callback of server.close() would wait for every accepted connection to end.
    close: async () => {
      server.close();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

/** `listen` binds a path before it returns, so the mask applies to nothing else of this thread. */
function withMask(listen: () => void): void {
  let previous: number | undefined;
  try {
    if (!isWindows) previous = process.umask(0o177);
  } catch {
    // A worker thread cannot set the mask. The mode is set once the path is bound.
  }
  try {
    listen();
  } finally {
    if (previous !== undefined) process.umask(previous);
  }
}

function lengthError(path: string): SshError | undefined {
  const size = Buffer.byteLength(path);
  if (isWindows || size <= longestPath) return undefined;
  return new SshError("misuse", `expected the path of a UNIX socket to have at most ${longestPath} bytes, got ${size}`);
}
