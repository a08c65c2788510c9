/** Listens on a control path, as ssh does: only for the user, and never in the place of another master. @module */
import { randomInt } from "node:crypto";
import { chmodSync, linkSync, lstatSync, rmSync, unlinkSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { SshError } from "@postern/wire";

/** Bytes of a path with its NUL, see unix(7). */
export const pathSize: number = process.platform === "linux" ? 108 : 104;
/** Clients that may be connected at the same time. More have to wait. */
const maxClients = 256;
const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** A control path that listens. */
export interface ControlSocket {
  /** Removes the path, unless another program has put something else there. Accepted sockets stay open. */
  close(): void;
}

/**
 * Listens on a control path with mode 0600. The socket gets its name once it accepts connections, so that no client
 * finds it earlier. A socket that no program listens on any more is replaced.
 *
 * @param onClient gets paused sockets with half-close on
 * @returns `undefined` if there is a file already, such as the socket of another master
 * @throws SshError `connect` if the path cannot be used
 */
export async function listenOnControlPath(
  path: string,
  onClient: (socket: Socket) => void,
): Promise<ControlSocket | undefined> {
  const temporary = `${path}.${Array.from({ length: 16 }, () => letters[randomInt(letters.length)]).join("")}`;
  if (Buffer.byteLength(temporary) >= pathSize) {
    throw new SshError("connect", `path "${temporary}" too long for Unix domain socket`);
  }
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    // 'close' follows. Without a listener, the error would end the process.
    socket.on("error", () => {});
    onClient(socket);
  });
  server.maxConnections = maxClients;
  await bind(server, temporary);
  try {
    if (!(await takeName(temporary, path))) {
      server.close();
      return undefined;
    }
  } catch (cause) {
    server.close();
    throw new SshError("connect", `link mux listener ${temporary} => ${path}: ${errorText(cause)}`, { cause });
  } finally {
    // A server that was closed has removed it.
    rmSync(temporary, { force: true });
  }
  const own = lstatSync(path);
  return {
    close() {
      server.close();
      try {
        const there = lstatSync(path);
        if (there.dev === own.dev && there.ino === own.ino) unlinkSync(path);
      } catch {
        // It is gone already.
      }
    },
  };
}

/** The text of the system for an error, as `strerror` returns it: `No such file or directory`. */
export function errorText(error: unknown): string {
  const { code = "", message } = error as NodeJS.ErrnoException;
  return texts[code] ?? message;
}

/** Of the errors that connecting to a path, and linking it, usually have. */
const texts: Readonly<Record<string, string>> = {
  EACCES: "Permission denied",
  ECONNREFUSED: "Connection refused",
  ECONNRESET: "Connection reset by peer",
  EISDIR: "Is a directory",
  ELOOP: "Too many levels of symbolic links",
  ENOENT: "No such file or directory",
  ENOTDIR: "Not a directory",
  ENOTSOCK: "Socket operation on non-socket",
  EPERM: "Operation not permitted",
  EPIPE: "Broken pipe",
  EROFS: "Read-only file system",
};

async function bind(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const failed = (cause: unknown): void =>
      reject(new SshError("connect", `unix_listener: cannot bind to path ${path}: ${errorText(cause)}`, { cause }));
    server.once("error", failed);
    const listening = (): void => {
      try {
        chmodSync(path, 0o600);
        resolve();
      } catch (cause) {
        server.close();
        failed(cause);
      }
    };
    withMask(() => server.listen({ path, backlog: 64 }, listening));
  });
}

/** `listen` binds before it returns, so the mask applies to nothing else. */
function withMask(listen: () => void): void {
  let previous: number | undefined;
  try {
    previous = process.umask(0o177);
  } catch {
    // A worker thread cannot set the mask. The mode is set before the socket gets its name.
  }
  try {
    listen();
  } finally {
    if (previous !== undefined) process.umask(previous);
  }
}

/** Renames the socket. Returns `false` if the name is taken. */
async function takeName(temporary: string, path: string): Promise<boolean> {
  if (link(temporary, path)) return true;
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket() || !(await isStale(path))) return false;
  unlinkSync(path);
  return link(temporary, path);
}

function link(temporary: string, path: string): boolean {
  try {
    linkSync(temporary, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Whether no program listens on a socket. */
async function isStale(path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  });
}
