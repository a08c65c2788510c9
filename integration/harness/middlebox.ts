/** A TCP proxy between client and server that simulates network faults. @module */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { type CutPoint, Link, resetNow, type Way, type Ways } from "./middlebox-link.ts";

export { type CutPoint, resetNow };

/** The open connections, the future ones, or all of them. */
export type Scope = "open" | "new" | "all";

export interface Middlebox {
  readonly port: number;
  /** The numbers of accepted and of open connections. */
  readonly accepted: number;
  readonly open: number;
  /** Bytes passed on, over all connections. */
  readonly bytes: Readonly<Record<Way, number>>;
  /** Holds back bytes and ends without an error. */
  silence(ways?: Ways, scope?: Scope): void;
  /** Ends silence, delay, splitting and cut points, and sends the bytes that were held back. */
  heal(): void;
  /** Sends RST to both sides of the silent connections, like a router that has lost its state. */
  forget(): void;
  /** Sends FIN to both sides of the open connections. */
  close(): void;
  /** Sends RST to both sides of the open connections. */
  reset(): void;
  /** Delays all bytes in both directions. */
  delay(ms: number): void;
  /** Sends every byte in a segment of its own. */
  shatter(): void;
  /** Cuts the next connection at a point, and no later one. */
  cutNext(point: CutPoint): void;
  /** Resolves when the point of `cutNext` is reached. */
  readonly reached: Promise<void>;
  /** Stops listening. Open connections stay. */
  down(): Promise<void>;
  up(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a middlebox in front of a port on loopback. */
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
    // Not the callback of `close`, which waits for the connections: the port is free at once.
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
