/** The server of the control socket. Only the user of the process may connect. @module */
import { chmodSync } from "node:fs";
import { lstat, unlink } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { connectTo } from "./client.ts";
import { type ControlAnswer, type ControlRequest, maxRequest, parseRequest, readLine } from "./protocol.ts";
import { prepareFolder } from "./socket-path.ts";

/** Handles a request. An error becomes the answer. */
export type HandleControl = (request: ControlRequest) => Promise<unknown>;

/** A control socket that listens. */
export interface ControlServer {
  readonly path: string;
  /** Removes the socket. Clients that wait for an answer get it first. */
  close(): Promise<void>;
}

/** Another process listens on the socket. */
export class AlreadyRunning extends Error {
  override readonly name = "AlreadyRunning";
}

const maxClients = 16;
/** The time for a client to send its request. */
const requestMs = 5_000;
/** The time for clients to read their answers when the server closes. */
const closeMs = 500;

/**
 * Listens on the first path, after it has checked that no process answers on any of them. A socket that a dead process
 * left behind is removed; any other file stays.
 *
 * @throws AlreadyRunning; Error with the system's reason
 */
export async function listenForControl(paths: readonly string[], handle: HandleControl): Promise<ControlServer> {
  for (const path of paths) if (await isAnswered(path)) throw alreadyRunning(path);
  const [path = ""] = paths;
  await prepareFolder(path);
  const clients = new Set<Socket>();
  let isClosing = false;
  const server = createServer((socket) => {
    clients.add(socket);
    socket.once("close", () => clients.delete(socket));
    void serve(socket, handle, () => isClosing);
  });
  server.maxConnections = maxClients;
  try {
    await bind(server, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    await removeStale(path);
    await bind(server, path);
  }
  server.on("error", () => {});
  return {
    path,
    close() {
      isClosing = true;
      return new Promise((resolve) => {
        // Also unlinks the path.
        server.close(() => resolve());
        setTimeout(() => {
          for (const socket of clients) socket.destroy();
        }, closeMs).unref();
      });
    },
  };
}

async function serve(socket: Socket, handle: HandleControl, isClosing: () => boolean): Promise<void> {
  socket.on("error", () => {});
  if (isClosing()) return void socket.destroy();
  const timer = setTimeout(() => socket.destroy(), requestMs);
  let answer: ControlAnswer;
  try {
    const line = await readLine(socket, maxRequest);
    clearTimeout(timer);
    const request = parseRequest(line);
    if (request === undefined) throw new Error("expected a request that this version knows, got another");
    answer = { ok: true, result: await handle(request) };
  } catch (error) {
    answer = { ok: false, error: (error as Error).message };
  } finally {
    clearTimeout(timer);
  }
  // A client that does not read its answer keeps its place for this long.
  socket.setTimeout(requestMs, () => socket.destroy());
  socket.end(`${JSON.stringify(answer)}\n`);
  // Whatever a client sends after its request is dropped.
  socket.resume();
}

function bind(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    // `listen` binds before it returns, so the mask applies to this file alone.
    const mask = process.umask(0o177);
    try {
      server.listen({ path, exclusive: true });
    } finally {
      process.umask(mask);
    }
    server.once("listening", () => {
      server.off("error", reject);
      try {
        if (process.platform !== "win32") chmodSync(path, 0o600);
        resolve();
      } catch (error) {
        server.close();
        reject(error as Error);
      }
    });
  });
}

/** Whether a process listens on a path. */
async function isAnswered(path: string): Promise<boolean> {
  try {
    const socket = await connectTo(path);
    socket.destroy();
    return true;
  } catch (error) {
    // A process that is too busy to accept is alive.
    return (error as NodeJS.ErrnoException).code === "EAGAIN";
  }
}

/** Removes a socket of this user on which no process listens. @throws Error for any other file */
async function removeStale(path: string): Promise<void> {
  const before = await lstat(path);
  if (await isAnswered(path)) throw alreadyRunning(path);
  const now = await lstat(path);
  if (!now.isSocket() || now.uid !== process.geteuid?.() || now.ino !== before.ino)
    throw new Error(
      `expected ${path} to be free for the control socket, got another file: remove it, or set \`control\``,
    );
  await unlink(path);
}

function alreadyRunning(path: string): AlreadyRunning {
  return new AlreadyRunning(
    `expected no process for this configuration, got one that answers on ${path}: see postern status`,
  );
}
