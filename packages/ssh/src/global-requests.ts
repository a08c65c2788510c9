/** Global requests of both sides. Replies carry no id, so they are matched in order (RFC 4254 section 4). @module */
import type { ReplySlot } from "@postern/connection";
import type { Bytes } from "@postern/wire";
import type { ConnectionContext } from "./channel-core.ts";
import { abortable, type Settler } from "./deferred.ts";
import type { GlobalReply, RequestOptions } from "./ssh-connection.ts";
import { RoundTrip } from "./window-growth.ts";

/** A peer that does not know this request answers REQUEST_FAILURE, which also proves that it is alive. */
const keepAlive = "keepalive@openssh.com";

/**
 * Sends our global requests and answers the peer's. One queue holds each of ours that expects a reply: the program's,
 * keepalives, and aborted ones whose reply is still due.
 */
export class GlobalRequests {
  readonly #roundTrip = new RoundTrip();
  #measuring = false;
  /** round trip of the last keepalive that was answered */
  lastRoundTripMs: number | undefined;
  /** Requests queued until login completes: functions that send them, and their promises. `undefined` once sent. */
  #early: Map<() => void, Settler<GlobalReply>> | undefined = new Map();
  /** Round trips are measured only after login; before it, they would include the server's authentication. */
  loggedIn = false;
  readonly #context: ConnectionContext;
  readonly #pending: { readonly caller: Settler<GlobalReply>; readonly sentAt: number | undefined }[] = [];

  constructor(context: ConnectionContext) {
    this.#context = context;
  }

  /** Sends the requests that were queued during login. */
  release(): void {
    const early = this.#early;
    this.#early = undefined;
    for (const send of early?.keys() ?? []) send();
  }

  /** Whether a reply is due. */
  get awaitsReply(): boolean {
    return this.#pending.length > 0;
  }

  /** Sends a request, or queues it until login. Resolves with its reply. */
  send(name: string, specificData: Bytes, { signal, onReply }: RequestOptions): Promise<GlobalReply> {
    return new Promise<GlobalReply>((resolve, reject) => {
      const send = (): void => this.#send(name, specificData, caller);
      const aborted = (): void => {
        this.#early?.delete(send);
        reject(signal?.reason);
      };
      const answered = (reply: GlobalReply): void => {
        try {
          onReply?.(reply);
          resolve(reply);
        } catch (error) {
          reject(error);
        }
      };
      const caller = abortable(signal, { resolve: answered, reject }, aborted);
      if (this.#early === undefined) send();
      else this.#early.set(send, caller);
    });
  }

  /** Sends a request without asking for a reply. */
  notify(name: string, specificData: Bytes): void {
    this.#context.machine.globalRequests.send(name, specificData, false);
    this.#context.scheduleFlush();
  }

  /** Sends a keepalive request. */
  probe(): void {
    const sentAt = this.#context.now();
    const resolve = (): void => {
      this.lastRoundTripMs = this.#context.now() - sentAt;
    };
    this.#send(keepAlive, new Uint8Array(0), { resolve, reject() {} });
  }

  /**
   * Returns the round trip in milliseconds if the link is known to be slow. Sends a request to measure it if that is
   * not known yet.
   */
  longRoundTrip(): number | undefined {
    if (this.#roundTrip.needsSamples && !this.#measuring) {
      this.#measuring = true;
      const resolve = (): void => {
        this.#measuring = false;
      };
      this.#send(keepAlive, new Uint8Array(0), { resolve, reject() {} });
    }
    return this.#roundTrip.long;
  }

  /** The peer sent a request. */
  received(name: string, specificData: Bytes, slot: ReplySlot | undefined): void {
    const { machine, answerOnce, onRequest } = this.#context;
    if (slot === undefined && this.awaitsReply) this.#context.acknowledgeNow();
    const once = answerOnce("a global request");
    const answer = (ok: boolean, reply?: Bytes): void =>
      once(() => slot && machine.globalRequests.reply(slot, ok, reply));
    const refuse = (): void => answer(false);
    if (onRequest === undefined) refuse();
    else
      onRequest({ name, specificData, wantReply: slot !== undefined, accept: (reply) => answer(true, reply), refuse });
  }

  /** Settles the request at this index of the queue, where 0 is the oldest. */
  settle(index: number, reply: GlobalReply): void {
    const [answered] = this.#pending.splice(index, 1);
    if (answered === undefined) return;
    if (answered.sentAt !== undefined) this.#roundTrip.add(this.#context.now() - answered.sentAt);
    answered.caller.resolve(reply);
  }

  /** Rejects all requests, because no replies come any more. */
  fail(error: unknown): void {
    for (const { caller } of this.#pending.splice(0)) caller.reject(error);
    for (const caller of this.#early?.values() ?? []) caller.reject(error);
  }

  #send(name: string, specificData: Bytes, caller: Settler<GlobalReply>): void {
    this.#pending.push({ caller, sentAt: this.loggedIn ? this.#context.now() : undefined });
    this.#context.machine.globalRequests.send(name, specificData, true);
    this.#context.scheduleFlush();
  }
}
