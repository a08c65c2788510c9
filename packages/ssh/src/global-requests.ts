/** Our global requests: one line of waiters, for replies carry no id (RFC 4254 section 4). @module */
import type { ConnectionMachine } from "@postern/connection";
import type { Bytes } from "@postern/wire";
import { abortedError } from "./options.ts";
import type { GlobalReply, RequestOptions } from "./ssh-connection.ts";
import { type Waiter, waiter } from "./waiter.ts";
import { RoundTrip } from "./window-growth.ts";

/** Answered with a failure by whoever does not know it, and that is an answer. */
const keepAlive = "keepalive@openssh.com";

/** What {@link GlobalRequests} needs of its connection. */
export interface RequestContext {
  readonly machine: ConnectionMachine;
  /** there is output to send */
  touch(): void;
  readonly now: () => number;
}

/** Every request that wants a reply stands in this one line: those of the program, keepalives, and those nobody waits for any more. */
export class GlobalRequests {
  readonly #roundTrip = new RoundTrip();
  #measuring = false;
  /** of the last keepalive that was answered */
  lastRoundTripMs: number | undefined;
  /** what sends that which was asked during the login, and who waits for it; undefined: everything leaves at once */
  #early: Map<() => void, Waiter<GlobalReply>> | undefined = new Map();
  /** whether the login is over: until then an answer takes as long as that does, and tells nothing of the way */
  loggedIn = false;
  readonly #host: RequestContext;
  readonly #waiters: { readonly waiter: Waiter<GlobalReply>; readonly askedAt: number | undefined }[] = [];

  constructor(host: RequestContext) {
    this.#host = host;
  }

  /** The peer takes requests from now on. */
  release(): void {
    const early = this.#early;
    this.#early = undefined;
    for (const ask of early?.keys() ?? []) ask();
  }

  /** Whether a reply is due. */
  get waiting(): boolean {
    return this.#waiters.length > 0;
  }

  send(name: string, specificData: Bytes, { signal, onReply }: RequestOptions): Promise<GlobalReply> {
    return new Promise<GlobalReply>((resolve, reject) => {
      const ask = (): void => this.#ask(name, specificData, asking);
      const aborted = (): void => {
        this.#early?.delete(ask);
        reject(abortedError(signal));
      };
      const answered = (reply: GlobalReply): void => {
        try {
          onReply?.(reply);
          resolve(reply);
        } catch (error) {
          reject(error);
        }
      };
      const asking = waiter(signal, { resolve: answered, reject }, aborted);
      if (this.#early === undefined) ask();
      else this.#early.set(ask, asking);
    });
  }

  /** A request that wants no reply. */
  notify(name: string, specificData: Bytes): void {
    this.#host.machine.globalRequest(name, specificData, false);
    this.#host.touch();
  }

  /** Asks the peer for any sign of life. Nobody waits for the answer. */
  probe(): void {
    const askedAt = this.#host.now();
    const answered = (): void => {
      this.lastRoundTripMs = this.#host.now() - askedAt;
    };
    this.#ask(keepAlive, new Uint8Array(0), { resolve: answered, reject() {} });
  }

  /** The round trip in milliseconds, when the link is known to be long; asks the peer if that is not known yet. */
  longRoundTrip(): number | undefined {
    if (this.#roundTrip.wanted && !this.#measuring) {
      this.#measuring = true;
      const measured = (): void => {
        this.#measuring = false;
      };
      this.#ask(keepAlive, new Uint8Array(0), { resolve: measured, reject() {} });
    }
    return this.#roundTrip.long;
  }

  /** The reply to the request at that place in the queue, 0 the oldest. */
  settle(index: number, reply: GlobalReply): void {
    const [answered] = this.#waiters.splice(index, 1);
    if (answered === undefined) return;
    if (answered.askedAt !== undefined) this.#roundTrip.add(this.#host.now() - answered.askedAt);
    answered.waiter.resolve(reply);
  }

  /** No replies come any more. */
  fail(error: unknown): void {
    for (const { waiter } of this.#waiters.splice(0)) waiter.reject(error);
    for (const waiter of this.#early?.values() ?? []) waiter.reject(error);
  }

  #ask(name: string, specificData: Bytes, waiter: Waiter<GlobalReply>): void {
    this.#waiters.push({ waiter, askedAt: this.loggedIn ? this.#host.now() : undefined });
    this.#host.machine.globalRequest(name, specificData, true);
    this.#host.touch();
  }
}
