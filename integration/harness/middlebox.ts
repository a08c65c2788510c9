/** A TCP proxy between client and server that misbehaves on command, as networks do. @module */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { type CutPoint, Link, resetNow, type Way, type Ways } from "./middlebox-link.ts";

export { type CutPoint, resetNow };

/** The connections that are open now, those to come, or all of them. */
export type Scope = "open" | "new" | "all";

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
