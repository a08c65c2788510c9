/** Reads of the sockets we dial: all of them read into one buffer, and each read is handed on before the next one begins. @module */
import type { OnReadOpts, Socket } from "node:net";
import type { Bytes } from "@postern/wire";

/** Large enough that a busy connection is read in few turns of the event loop, small enough to stay in a processor's cache. */
const size = 64 * 1024;

let buffer: Bytes | undefined;
const readers = new WeakMap<Socket, { read: (chunk: Bytes) => void }>();

/** How a socket is told to read into the shared buffer: `onread` for `net.connect`, and `of` for the socket that it gives. */
export function sharedReads(): { readonly onread: OnReadOpts; of(socket: Socket): void } {
  buffer ??= new Uint8Array(size);
  const shared = buffer;
  const reader = { read: (_chunk: Bytes): void => {} };
  return {
    onread: {
      buffer: shared,
      callback(count) {
        reader.read(shared.subarray(0, count));
        return true;
      },
    },
    of: (socket) => void readers.set(socket, reader),
  };
}

/** Hands what a socket reads to `read`, which has it for the time of the call. False: the socket does not read this way. */
export function borrowReads(socket: Socket, read: (chunk: Bytes) => void): boolean {
  const reader = readers.get(socket);
  if (reader !== undefined) reader.read = read;
  return reader !== undefined;
}
