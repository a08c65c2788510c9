/** A visitor of a forwarded port: a plain TCP client. @module */
import { createHash } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { Received } from "./targets.ts";

export interface Visitor {
  readonly socket: Socket;
  /** Writes. Resolves when the kernel has taken the bytes. */
  send(data: string | Uint8Array): Promise<void>;
  /** Writes all chunks, with backpressure. */
  sendAll(chunks: Iterable<Uint8Array>): Promise<void>;
  /** Half-closes. */
  end(): void;
  /** Reads exactly `size` bytes. Throws if the connection ends before. */
  read(size: number): Promise<Buffer>;
  /** Reads to the end. */
  readAll(): Promise<Buffer>;
  /** Reads to the end, and returns the number of bytes and their SHA-256. */
  hashAll(): Promise<Received>;
  /** Resets the connection. */
  reset(): void;
  /** Resolves when the connection has closed, with the error code (`ECONNRESET`) if there was one. */
  readonly closed: Promise<string | undefined>;
}

/** Connects a socket. */
async function reach(port: number | undefined, host: string): Promise<Socket> {
  if (port === undefined) throw new Error("expected the port of a forwarding, got none");
  const socket = connect({ port, host, allowHalfOpen: true, noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  return socket;
}

/** Connects to a port on loopback. The socket stays half-open until `end()`, and reads only on demand. */
export async function visit(port: number | undefined, host?: string): Promise<Visitor> {
  // sshd listens on ::1 alone if an outgoing IPv4 connection of another program uses the port that it chose.
  const socket = await reach(port, host ?? "127.0.0.1").catch((error: unknown) => {
    if (host !== undefined) throw error;
    return reach(port, "::1");
  });
  let errorCode: string | undefined;
  socket.on("error", (error: NodeJS.ErrnoException) => {
    errorCode ??= error.code ?? error.message;
  });
  const closed = new Promise<string | undefined>((resolve) => socket.once("close", () => resolve(errorCode)));
  const send = (data: string | Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      socket.write(data, (error) => (error ? reject(error) : resolve()));
    });
  return {
    socket,
    send,
    async sendAll(chunks) {
      for (const chunk of chunks) await send(chunk);
    },
    end: () => void socket.end(),
    async read(size) {
      const chunks: Buffer[] = [];
      let length = 0;
      while (length < size) {
        const chunk: Buffer | null = socket.read();
        if (chunk) {
          chunks.push(chunk);
          length += chunk.length;
        } else if (socket.readableEnded || socket.destroyed) {
          throw new Error(`expected ${size} bytes, got the end after ${length} (${errorCode ?? "eof"})`);
        } else await readable(socket);
      }
      const all = Buffer.concat(chunks);
      if (length > size) socket.unshift(all.subarray(size));
      return all.subarray(0, size);
    },
    async readAll() {
      const chunks: Buffer[] = [];
      for await (const chunk of socket.iterator({ destroyOnReturn: false })) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks);
    },
    async hashAll() {
      const hash = createHash("sha256");
      let bytes = 0;
      for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
        hash.update(chunk as Buffer);
        bytes += (chunk as Buffer).length;
      }
      return { bytes, sha256: hash.digest("hex") };
    },
    reset: () => void socket.resetAndDestroy(),
    closed,
  };
}

/** Connects, sends, half-closes, and returns the whole answer. */
export async function exchange(port: number | undefined, data: string | Uint8Array, host?: string): Promise<Buffer> {
  const visitor = await visit(port, host);
  // A target that answers at once may close before it has read everything.
  void visitor.send(data).catch(() => undefined);
  visitor.end();
  try {
    return await visitor.readAll();
  } finally {
    visitor.socket.destroy();
  }
}

/** Waits for the next bytes or the end. Call it with nothing buffered. */
function readable(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of ["readable", "end", "close"]) socket.off(event, done);
      resolve();
    };
    for (const event of ["readable", "end", "close"]) socket.on(event, done);
  });
}
