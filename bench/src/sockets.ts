/**
 * Sockets of the load generator. All reads share one buffer, so its own cost is small and equal for all clients.
 * @module
 */
import { type AddressInfo, connect, createServer, type Server, Socket } from "node:net";
import { pattern } from "./pattern.ts";

export { pattern };

/** Receives a view that is valid during the call. Returning false stops reading until `socket.resume()`. */
export type OnBytes = (bytes: Uint8Array, socket: Socket) => boolean;

const buffer = Buffer.allocUnsafeSlow(1 << 20);

/** Connects to a port on loopback. */
export function open(port: number, onBytes: OnBytes): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({
      host: "127.0.0.1",
      port,
      noDelay: true,
      onread: { buffer, callback: (size) => onBytes(buffer.subarray(0, size), socket) },
    });
    socket.once("connect", () => resolve(socket));
    socket.once("error", reject);
    // Missing bytes reveal the error.
    socket.on("error", () => undefined);
  });
}

/** Listens on a free port of loopback. */
export function listen(
  serve: (socket: Socket) => OnBytes,
): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer({ pauseOnConnect: true, noDelay: true }, (accepted) => {
    let onBytes: OnBytes = () => true;
    const socket = withFixedBuffer(accepted, (size) => onBytes(buffer.subarray(0, size), socket));
    socket.on("error", () => undefined);
    onBytes = serve(socket);
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => {
      resolve({ server, port: (server.address() as AddressInfo).port });
    });
  });
}

/** Node supports `onread` only for outgoing connections, so the incoming handle is moved to a new socket. */
function withFixedBuffer(accepted: Socket, callback: (size: number) => boolean): Socket {
  const inside = accepted as unknown as { _handle: object | null };
  const handle = inside._handle;
  inside._handle = null;
  return new Socket({ handle, onread: { buffer, callback } } as ConstructorParameters<typeof Socket>[0]);
}

/** Writes the pattern as fast as the peer reads, until the socket closes. */
export function writeForEver(socket: Socket): void {
  const more = (): void => {
    while (!socket.destroyed && socket.write(pattern));
  };
  socket.on("drain", more);
  more();
}

/** Compares a stream with the pattern, chunk after chunk. @throws Error at the first wrong byte */
export class Verifier {
  #at = 0;
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** Returns false once all bytes have been compared. */
  get busy(): boolean {
    return this.#left > 0;
  }

  check(bytes: Uint8Array): void {
    let from = 0;
    while (from < bytes.length && this.#left > 0) {
      const size = Math.min(bytes.length - from, pattern.length - this.#at, this.#left);
      const expected = pattern.subarray(this.#at, this.#at + size);
      if (Buffer.compare(expected, bytes.subarray(from, from + size)) !== 0)
        throw new Error("expected the pattern, got other bytes");
      from += size;
      this.#left -= size;
      this.#at = (this.#at + size) % pattern.length;
    }
  }
}
