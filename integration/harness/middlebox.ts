/** A TCP proxy between client and server that misbehaves on command, as networks do. @module */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { HandshakeSteps } from "./handshake-steps.ts";

/** Client to server, or server to client. */
export type Way = "c2s" | "s2c";
export type Ways = Way | "both";
/** What happens to a connection at a point of its stream: FIN to both sides, RST to both sides, or never a byte again. */
export type Cut = "close" | "reset" | "silence";
/** The connections that are open now, those to come, or all of them. */
export type Scope = "open" | "new" | "all";

/** Where to cut the connections to come: after so many bytes or messages of one way. */
export interface CutPoint {
  readonly way: Way;
  readonly after: { readonly bytes: number } | { readonly steps: number };
  readonly cut: Cut;
}

export interface Middlebox {
  readonly port: number;
  /** How many connections came, and how many are open. */
  readonly accepted: number;
  readonly open: number;
  /** Bytes passed on, of all connections. */
  readonly bytes: Readonly<Record<Way, number>>;
  /** A black hole: bytes and ends are held back, nobody is told. */
  silence(ways?: Ways, scope?: Scope): void;
  /** Ends silence, delay, splitting and cut points; what was held back goes on. */
  heal(): void;
  /** RST to both sides of the connections that are silent, as a router does that has forgotten them. */
  forget(): void;
  /** FIN to both sides of the connections that are open. */
  close(): void;
  /** RST to both sides of the connections that are open. */
  reset(): void;
  /** Everything takes so much longer, in both ways. */
  delay(ms: number): void;
  /** Every byte in a segment of its own. */
  shatter(): void;
  /** The next connection is cut at a point; those behind it are not. */
  cutNext(point: CutPoint): void;
  /** Resolves when a point of `cutNext` is reached. */
  readonly reached: Promise<void>;
  /** Nobody listens on the port. Connections that are open stay. */
  down(): Promise<void>;
  up(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts one in front of a port on loopback. */
export async function startMiddlebox(target: number): Promise<Middlebox> {
  const box = new Box(target);
  await box.up();
  return box;
}

const otherWay: Readonly<Record<Way, Way>> = { c2s: "s2c", s2c: "c2s" };

class Box implements Middlebox {
  readonly bytes = { c2s: 0, s2c: 0 };
  readonly #target: number;
  readonly #links = new Set<Link>();
  #server: Server | undefined;
  port = 0;
  accepted = 0;
  #silent: Ways | undefined;
  #delayMs = 0;
  #shatters = false;
  #cut: CutPoint | undefined;
  #reached: () => void = () => {};
  reached: Promise<void> = Promise.resolve();

  constructor(target: number) {
    this.#target = target;
  }

  get open(): number {
    return this.#links.size;
  }

  silence(ways: Ways = "both", scope: Scope = "all"): void {
    if (scope !== "open") this.#silent = ways;
    if (scope !== "new") for (const link of this.#links) link.silence(ways);
  }

  heal(): void {
    this.#silent = undefined;
    this.#delayMs = 0;
    this.#shatters = false;
    this.#cut = undefined;
    for (const link of this.#links) link.heal();
  }

  forget(): void {
    for (const link of this.#links) if (link.silent) link.cut("reset");
  }

  close(): void {
    for (const link of this.#links) link.cut("close");
  }

  reset(): void {
    for (const link of this.#links) link.cut("reset");
  }

  delay(ms: number): void {
    this.#delayMs = ms;
    for (const link of this.#links) link.delay(ms);
  }

  shatter(): void {
    this.#shatters = true;
    for (const link of this.#links) link.shatter();
  }

  cutNext(point: CutPoint): void {
    this.#cut = point;
    this.reached = new Promise((resolve) => {
      this.#reached = resolve;
    });
  }

  async down(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    server?.close();
    // The port is free at once; the callback of `close` would wait for the connections.
    await new Promise((resolve) => setImmediate(resolve));
  }

  async up(): Promise<void> {
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (client) => {
      this.#accept(client);
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.port, "127.0.0.1", resolve);
    });
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    await this.down();
    for (const link of this.#links) link.cut("reset");
    while (this.#links.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  #accept(client: Socket): void {
    this.accepted++;
    const server = connect({ host: "127.0.0.1", port: this.#target, allowHalfOpen: true, noDelay: true });
    const point = this.#cut;
    this.#cut = undefined;
    const link = new Link(client, server, {
      passed: (way, size) => {
        this.bytes[way] += size;
      },
      gone: () => this.#links.delete(link),
      point,
      reached: this.#reached,
    });
    this.#links.add(link);
    if (this.#silent !== undefined) link.silence(this.#silent);
    if (this.#delayMs > 0) link.delay(this.#delayMs);
    if (this.#shatters) link.shatter();
  }
}

interface LinkOptions {
  passed(way: Way, size: number): void;
  gone(): void;
  readonly point: CutPoint | undefined;
  reached(): void;
}

/** One connection through the box. */
class Link {
  readonly #sockets: Readonly<Record<Way, Socket>>;
  readonly #flows: Readonly<Record<Way, Flow>>;

  /** Takes both sockets. */
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
      // A side that breaks breaks the other, unless the box is silent: then nobody learns.
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
      if (cut === "reset" && !socket.connecting) socket.resetAndDestroy();
      else if (cut === "reset") socket.destroy();
      // What was passed on before is still sent; then FIN. Whatever comes back is thrown away.
      else socket.resume().destroySoon();
    }
  }
}

type Held = Uint8Array | "end" | "broken";

interface FlowOptions {
  passed(size: number): void;
  readonly point: CutPoint["after"] | undefined;
  reached(): void;
}

/** One way of a connection. */
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

  /** Holds no more than a network would. */
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
      else this.#to.resetAndDestroy();
    }
    this.#gate();
  }

  /** Passes on what may pass before the point of the cut. */
  #pass(all: Uint8Array): void {
    // So many segments are work: other connections are to have their turn.
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

  /** How much of the chunk is before the point; undefined when all of it is. */
  #limit(chunk: Uint8Array): number | undefined {
    const point = this.#point;
    if (point === undefined) return undefined;
    if ("bytes" in point) return this.#sent + chunk.length >= point.bytes ? point.bytes - this.#sent : undefined;
    for (const end of this.#steps.receive(chunk)) if (++this.#seen === point.steps) return end;
    return undefined;
  }
}
