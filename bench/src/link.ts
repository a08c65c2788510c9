/** Helper process: the network between client and sshd. It adds a delay or stalls, with unlimited bandwidth. @module */
import { type AddressInfo, createServer, Socket } from "node:net";
import { clockMs } from "./orders.ts";
import { answer } from "./rpc.ts";

export type Link = typeof procedures;

let roundTripMs = 0;
let hanging = false;
let acceptedAt = Number.NaN;
const ways = new Set<Way>();

const procedures = {
  /** Listens in front of a port on loopback, and returns its own port. */
  start(target: number): Promise<number> {
    const server = createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
      acceptedAt = clockMs();
      const far = new Socket({ allowHalfOpen: true });
      // The last segment of a TCP handshake reaches the server half a round trip after the client has sent it, together
      // with the client's first bytes.
      after(roundTripMs / 2, () => far.connect({ host: "127.0.0.1", port: target, noDelay: true }));
      join(near, far);
    });
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
    });
  },
  /** Sets the round trip of future connections. */
  roundTrip(ms: number): void {
    roundTripMs = ms;
  },
  /** Returns the time of the last connection. */
  accepted(): number {
    return acceptedAt;
  },
  /** Stops reading and writing until `heal`. */
  hang(): void {
    hanging = true;
    for (const way of ways) way.update();
  },
  heal(): void {
    hanging = false;
    for (const way of ways) way.update();
  },
};

answer(procedures);

function after(ms: number, action: () => void): void {
  if (ms === 0) action();
  else setTimeout(action, ms);
}

function join(near: Socket, far: Socket): void {
  const both = [new Way(near, far, roundTripMs / 2), new Way(far, near, roundTripMs / 2)];
  for (const socket of [near, far]) {
    socket.on("error", () => undefined);
    socket.once("close", () => {
      near.destroy();
      far.destroy();
      for (const way of both) ways.delete(way);
    });
  }
}

/** One direction. Delays each chunk, independent of the other direction. */
class Way {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #delayMs: number;
  readonly #waiting: { readonly due: number; readonly chunk: Uint8Array | undefined }[] = [];
  #timed = false;

  constructor(from: Socket, to: Socket, delayMs: number) {
    this.#from = from;
    this.#to = to;
    this.#delayMs = delayMs;
    ways.add(this);
    from.on("data", (chunk: Uint8Array) => this.#take(chunk));
    from.once("end", () => this.#take(undefined));
    this.update();
  }

  update(): void {
    if (hanging) this.#from.pause();
    else this.#from.resume();
  }

  #take(chunk: Uint8Array | undefined): void {
    if (this.#delayMs === 0 && this.#waiting.length === 0) {
      this.#pass(chunk);
      return;
    }
    this.#waiting.push({ due: clockMs() + this.#delayMs, chunk });
    if (!this.#timed) this.#releaseIn(this.#delayMs);
  }

  #release(): void {
    this.#timed = false;
    const now = clockMs();
    let due = 0;
    while (due < this.#waiting.length && (this.#waiting[due]?.due ?? 0) <= now + 0.5) due++;
    this.#to.cork();
    for (const { chunk } of this.#waiting.splice(0, due)) this.#pass(chunk);
    this.#to.uncork();
    const [next] = this.#waiting;
    if (next !== undefined) this.#releaseIn(Math.max(1, next.due - now));
  }

  #releaseIn(ms: number): void {
    this.#timed = true;
    setTimeout(() => this.#release(), ms);
  }

  #pass(chunk: Uint8Array | undefined): void {
    if (this.#to.destroyed) return;
    if (chunk === undefined) this.#to.end();
    else this.#to.write(chunk);
  }
}
