/** The sockets that are on their way to a worker. @module */
import type { BytePipe } from "@postern/ssh";

/** The socket of a client that a worker is to serve. */
export interface PassedSocket {
  readonly handle: unknown;
  /** Returns the pipe of the socket, because the client is refused. */
  readonly open: () => BytePipe;
  /** Closes our copy of the socket: the worker has one. */
  readonly received: () => void;
  /** Disconnects the client: no worker serves it. */
  readonly lost: () => void;
}

/** How long a worker may take to receive a socket, whose client counts for the limits meanwhile. */
export const receiveMs = 5_000;

interface Passing {
  readonly socket: PassedSocket;
  readonly timer: ReturnType<typeof setTimeout>;
}

/** The sockets that a worker has not received, by client. */
export class PassingSockets {
  readonly #all = new Map<number, Passing>();

  /** Adds a socket. Calls `late` if it is still here after {@link receiveMs}. */
  add(id: number, socket: PassedSocket, late: () => void): void {
    this.#all.set(id, { socket, timer: setTimeout(late, receiveMs) });
  }

  has(id: number): boolean {
    return this.#all.has(id);
  }

  /** Removes a socket, and returns it if it was here. */
  take(id: number): PassedSocket | undefined {
    const passing = this.#all.get(id);
    clearTimeout(passing?.timer);
    this.#all.delete(id);
    return passing?.socket;
  }
}
