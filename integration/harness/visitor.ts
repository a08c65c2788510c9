/** A visitor of a forwarded port: a plain TCP client. @module */
import { createHash } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { Received } from "./targets.ts";

export interface Visitor {
  readonly socket: Socket;
  /** Writes; resolves when the kernel took it. */
  send(data: string | Uint8Array): Promise<void>;
  /** Writes all chunks, no faster than they are taken. */
  sendAll(chunks: Iterable<Uint8Array>): Promise<void>;
  /** Half-close: no more from us. */
  end(): void;
  /** Exactly `size` bytes; throws if the connection ends before. */
  read(size: number): Promise<Buffer>;
  /** Everything from here to the end. */
  readAll(): Promise<Buffer>;
  /** The count and SHA-256 of everything from here to the end. */
  hashAll(): Promise<Received>;
  /** Drops the connection with RST. */
  reset(): void;
  /** Settles when the connection is gone, with the error code (`ECONNRESET`) if there was one. */
  readonly closed: Promise<string | undefined>;
}

/** A connected socket. */
async function reach(port: number, host: string): Promise<Socket> {
  const socket = connect({ port, host, allowHalfOpen: true, noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  return socket;
}

/** Connects to a port on loopback, half-open: our end stays open until `end()`. Nothing is read before you ask. */
export async function visit(port: number, host?: string): Promise<Visitor> {
  // sshd is content to listen on ::1 alone when a port of its choice is that of somebody's outgoing IPv4 connection.
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

/** Connects, sends, half-closes, and gives the whole answer. */
export async function exchange(port: number, data: string | Uint8Array, host?: string): Promise<Buffer> {
  const visitor = await visit(port, host);
  // A target that answers at once may be gone before it read everything.
  void visitor.send(data).catch(() => undefined);
  visitor.end();
  try {
    return await visitor.readAll();
  } finally {
    visitor.socket.destroy();
  }
}

/** Waits for the next bytes or the end; to be called with nothing buffered. */
function readable(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of ["readable", "end", "close"]) socket.off(event, done);
      resolve();
    };
    for (const event of ["readable", "end", "close"]) socket.on(event, done);
  });
}
