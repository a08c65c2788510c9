/** TCP servers behind a tunnel, working and faulty ones. @module */
import { createHash } from "node:crypto";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { patternStream } from "./pattern.ts";
import { freePort } from "./ports.ts";

export interface Target {
  readonly port: number;
  /** The number of connections accepted so far. */
  readonly accepted: number;
  /** The number of open connections. */
  readonly open: number;
  stop(): Promise<void>;
}

/** The bytes of one connection, up to its end. */
export interface Received {
  readonly bytes: number;
  /** SHA-256 in hex. */
  readonly sha256: string;
}

/** Echoes all bytes, and ends when the peer ends. */
export function echoTarget(host?: string): Promise<Target> {
  return target((socket) => socket.pipe(socket), host);
}

/** Reads to the end without an answer, then ends. `next()` resolves with the result of the next ended connection. */
export async function hashSink(host?: string): Promise<Target & { readonly next: () => Promise<Received> }> {
  const received = queue<Received>();
  const sink = await target((socket) => {
    const hash = createHash("sha256");
    let bytes = 0;
    socket.on("data", (chunk: Uint8Array) => {
      hash.update(chunk);
      bytes += chunk.length;
    });
    socket.once("end", () => {
      received.put({ bytes, sha256: hash.digest("hex") });
      socket.end();
    });
  }, host);
  return Object.assign(sink, { next: received.take });
}

/** Sends the first `size` bytes of the pattern and ends; drops all input. Compare with `patternHash(size, seed)`. */
export function patternSource(size: number, seed = 1, host?: string): Promise<Target> {
  return target((socket) => {
    socket.resume();
    pipeline(patternStream(size, seed), socket).catch(() => undefined);
  }, host);
}

/** Reads to the end, then answers with the SHA-256 of the input in hex, and ends. */
export function halfCloseTarget(host?: string): Promise<Target> {
  return target((socket) => {
    const hash = createHash("sha256");
    socket.on("data", (chunk: Uint8Array) => hash.update(chunk));
    socket.once("end", () => socket.end(hash.digest("hex")));
  }, host);
}

/** Accepts connections, and never reads. */
export function deafTarget(host?: string): Promise<Target> {
  return target((socket) => socket.pause(), host);
}

/** Accepts connections and resets them: at once, or at the first byte. */
export function resettingTarget(when: "accept" | "data" = "accept", host?: string): Promise<Target> {
  return target((socket) => {
    if (when === "accept") socket.resetAndDestroy();
    else socket.once("data", () => socket.resetAndDestroy());
  }, host);
}

/** Starts a web server with one page. */
export async function httpTarget(page = "the door is open\n", host?: string): Promise<Target> {
  const server = createHttpServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/plain", "content-length": Buffer.byteLength(page) }).end(page);
  });
  return listen(server, host);
}

/** Returns a port where nothing listens. */
export function refusingPort(): Promise<number> {
  return freePort();
}

/** Starts a server with a handler. Sockets stay half-open until both sides have ended; errors are ignored. */
export function target(serve: (socket: Socket) => void, host?: string): Promise<Target> {
  return listen(createServer({ allowHalfOpen: true, noDelay: true }, serve), host);
}

function listen(server: Server, host = "127.0.0.1"): Promise<Target> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  server.on("connection", (socket: Socket) => {
    accepted++;
    sockets.add(socket);
    // Some tests break connections on purpose.
    socket.on("error", () => undefined);
    socket.once("close", () => sockets.delete(socket));
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, host, () => {
      const { port } = server.address() as AddressInfo;
      resolve({
        port,
        get accepted() {
          return accepted;
        },
        get open() {
          return sockets.size;
        },
        stop: () =>
          new Promise((done) => {
            server.close(() => done());
            for (const socket of sockets) socket.destroy();
          }),
      });
    });
  });
}

function queue<Item>(): { readonly put: (item: Item) => void; readonly take: () => Promise<Item> } {
  const items: Item[] = [];
  const waiting: ((item: Item) => void)[] = [];
  return {
    put(item) {
      const resolve = waiting.shift();
      if (resolve) resolve(item);
      else items.push(item);
    },
    take: () =>
      new Promise((resolve) => {
        const item = items.shift();
        if (item === undefined) waiting.push(resolve);
        else resolve(item);
      }),
  };
}
