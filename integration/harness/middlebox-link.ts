/** One connection through a middlebox, and its faults. @module */
import type { Socket } from "node:net";
import { HandshakeSteps } from "./handshake-steps.ts";

/** Client to server, or server to client. */
export type Way = "c2s" | "s2c";
export type Ways = Way | "both";
/** The fault at a point of the stream: FIN to both sides, RST to both sides, or silence. */
export type Cut = "close" | "reset" | "silence";

/** Where to cut a connection: after a number of bytes or messages in one direction. */
export interface CutPoint {
  readonly way: Way;
  readonly after: { readonly bytes: number } | { readonly steps: number };
  readonly cut: Cut;
}

const otherWay: Readonly<Record<Way, Way>> = { c2s: "s2c", s2c: "c2s" };

interface LinkOptions {
  passed(way: Way, size: number): void;
  gone(): void;
  readonly point: CutPoint | undefined;
  reached(): void;
}

/** One connection through the box. */
export class Link {
  readonly #sockets: Readonly<Record<Way, Socket>>;
  readonly #flows: Readonly<Record<Way, Flow>>;

  /** Owns both sockets. */
  constructor(client: Socket, server: Socket, { passed, gone, point, reached }: LinkOptions) {
    this.#sockets = { c2s: client, s2c: server };
    const flow = (way: Way): Flow =>
      new Flow(this.#sockets[way], this.#sockets[otherWay[way]], {
        passed: (size) => passed(way, size),
        point: point?.way === way ? point.after : undefined,
        reached: () => {
          if (point !== undefined) this.cut(point.cut);
          reached();
        },
      });
    this.#flows = { c2s: flow("c2s"), s2c: flow("s2c") };
    let closed = 0;
    for (const way of ["c2s", "s2c"] as const) {
      const socket = this.#sockets[way];
      // An error of one side resets the other, unless the box is silent.
      socket.on("error", () => undefined);
      socket.once("close", (broken) => {
        if (broken) this.#flows[way].broken();
        if (++closed === 2) gone();
      });
    }
  }

  get silent(): boolean {
    return this.#flows.c2s.silent || this.#flows.s2c.silent;
  }

  silence(ways: Ways): void {
    for (const way of ["c2s", "s2c"] as const) if (ways === way || ways === "both") this.#flows[way].silence();
  }

  delay(ms: number): void {
    for (const flow of Object.values(this.#flows)) flow.delayMs = ms;
  }

  shatter(): void {
    for (const flow of Object.values(this.#flows)) flow.shatters = true;
  }

  heal(): void {
    for (const flow of Object.values(this.#flows)) flow.heal();
  }

  cut(cut: Cut): void {
    if (cut === "silence") return this.silence("both");
    for (const flow of Object.values(this.#flows)) flow.drop();
    for (const socket of Object.values(this.#sockets)) {
      if (cut === "reset") resetNow(socket);
      // Sends the bytes passed on so far, then FIN. Further input is dropped.
      else socket.resume().destroySoon();
    }
  }
}

/** Sends RST. A socket that is connecting or shutting down is destroyed, because Node cannot reset it. */
export function resetNow(socket: Socket): void {
  const shuttingDown = socket.writableEnded && !socket.writableFinished;
  if (socket.connecting || shuttingDown) socket.destroy();
  else socket.resetAndDestroy();
}

type Held = Uint8Array | "end" | "broken";

interface FlowOptions {
  passed(size: number): void;
  readonly point: CutPoint["after"] | undefined;
  reached(): void;
}

/** One direction of a connection. */
class Flow {
  delayMs = 0;
  shatters = false;
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #options: FlowOptions;
  readonly #steps = new HandshakeSteps();
  #queue: { readonly item: Held; readonly due: number }[] = [];
  #queuedBytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #silent = false;
  #blocked = false;
  #dropped = false;
  #sent = 0;
  #seen = 0;
  #point: CutPoint["after"] | undefined;

  constructor(from: Socket, to: Socket, options: FlowOptions) {
    this.#from = from;
    this.#to = to;
    this.#options = options;
    this.#point = options.point;
    from.on("data", (chunk: Uint8Array) => this.#arrived(chunk));
    from.once("end", () => this.#arrived("end"));
    to.on("drain", () => {
      this.#blocked = false;
      this.#forward();
    });
    from.resume();
  }

  get silent(): boolean {
    return this.#silent;
  }

  silence(): void {
    this.#silent = true;
    this.#gate();
  }

  heal(): void {
    this.#silent = false;
    this.delayMs = 0;
    this.shatters = false;
    this.#queue = this.#queue.map(({ item }) => ({ item, due: 0 }));
    this.#gate();
    this.#forward();
  }

  broken(): void {
    this.#arrived("broken");
  }

  drop(): void {
    this.#dropped = true;
    this.#queue = [];
    clearTimeout(this.#timer);
  }

  #arrived(item: Held): void {
    if (this.#dropped) return;
    this.#queue.push({ item, due: performance.now() + this.delayMs });
    if (typeof item === "object") this.#queuedBytes += item.length;
    this.#forward();
    this.#gate();
  }

  /** Limits the bytes in flight, as a network does. */
  #gate(): void {
    if (this.#dropped) return;
    if (this.#silent || this.#queuedBytes > 256 * 1024) this.#from.pause();
    else this.#from.resume();
  }

  #forward(): void {
    clearTimeout(this.#timer);
    while (!this.#silent && !this.#blocked && !this.#dropped) {
      const [next] = this.#queue;
      if (next === undefined) break;
      const wait = next.due - performance.now();
      if (wait > 0) {
        this.#timer = setTimeout(() => this.#forward(), wait);
        return;
      }
      this.#queue.shift();
      if (typeof next.item === "object") {
        this.#queuedBytes -= next.item.length;
        this.#pass(next.item);
      } else if (next.item === "end") this.#to.end();
      else resetNow(this.#to);
    }
    this.#gate();
  }

  /** Passes on the bytes before the point of the cut. */
  #pass(all: Uint8Array): void {
    // Yields after many segments, so that other connections make progress.
    const chunk = this.shatters ? all.subarray(0, 2_048) : all;
    if (chunk.length < all.length) this.#unshift(all.subarray(chunk.length));
    const limit = this.#limit(chunk);
    const passing = limit === undefined ? chunk : chunk.subarray(0, limit);
    const size = this.shatters ? 1 : passing.length;
    let more = true;
    for (let at = 0; at < passing.length; at += size) more = this.#to.write(passing.subarray(at, at + size));
    this.#blocked = !more;
    this.#options.passed(passing.length);
    this.#sent += passing.length;
    if (limit === undefined) return;
    this.#point = undefined;
    if (limit < chunk.length) this.#unshift(chunk.subarray(limit));
    this.#options.reached();
  }

  #unshift(rest: Uint8Array): void {
    this.#queue.unshift({ item: rest, due: 0 });
    this.#queuedBytes += rest.length;
  }

  /** Returns the part of the chunk before the point, or undefined if that is all of it. */
  #limit(chunk: Uint8Array): number | undefined {
    const point = this.#point;
    if (point === undefined) return undefined;
    if ("bytes" in point) return this.#sent + chunk.length >= point.bytes ? point.bytes - this.#sent : undefined;
    for (const end of this.#steps.receive(chunk)) if (++this.#seen === point.steps) return end;
    return undefined;
  }
}
