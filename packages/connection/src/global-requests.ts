/** Global requests in both directions (RFC 4254 section 4). @module */
import { type Bytes, GlobalRequest, type PayloadSink, RequestFailure, RequestSuccess, SshError } from "@postern/wire";
import type { ConnectionEvent } from "./connection-events.ts";
import { ReplyQueue, type ReplySlot } from "./replies.ts";

/** Our requests whose reply is due, and the peer's requests that we have not answered. */
export class GlobalRequests {
  readonly #sink: PayloadSink;
  readonly #events: ConnectionEvent[];
  /** Our requests, oldest first, because replies carry no id. `sequence` is known once the packet is sent. */
  readonly #pending: { sequence: number | undefined }[] = [];
  readonly #replies: ReplyQueue;

  constructor(sink: PayloadSink, events: ConnectionEvent[]) {
    this.#sink = sink;
    this.#events = events;
    this.#replies = new ReplyQueue((payload) => sink.send(payload));
  }

  /** The peer's requests that have no reply on its way yet. */
  get unanswered(): number {
    return this.#replies.length;
  }

  /** Sends a global request. With `wantReply`, the event `globalReply` follows, in the order of the requests. */
  send(name: string, specificData: Bytes, wantReply: boolean): void {
    const payload = GlobalRequest.encode({ name, wantReply, specificData });
    if (!wantReply) return this.#sink.send(payload);
    const request: { sequence: number | undefined } = { sequence: undefined };
    this.#pending.push(request);
    this.#sink.send(payload, undefined, (sequence) => {
      request.sequence = sequence;
    });
  }

  /** Answers the peer's request. `specificData` is sent with a success only. Call it once for every slot. */
  reply(slot: ReplySlot, ok: boolean, specificData: Bytes = new Uint8Array(0)): void {
    this.#replies.settle(slot, ok ? RequestSuccess.encode({ specificData }) : RequestFailure.encode({}));
  }

  /** Handles GLOBAL_REQUEST (view). */
  receive(payload: Bytes): void {
    const { name, wantReply, specificData } = GlobalRequest.decode(payload);
    const slot = wantReply ? this.#replies.add() : undefined;
    this.#events.push({ type: "globalRequest", name, specificData, slot });
  }

  /** Handles a reply to our request at `index`, 0 the oldest. @throws SshError `protocol` if no request is pending */
  settle(index: number, ok: boolean, specificData: Bytes, unimplemented?: true): void {
    if (this.#pending.splice(index, 1).length === 0) {
      throw new SshError("protocol", "expected no reply to a global request, because none is pending");
    }
    this.#events.push({ type: "globalReply", index, ok, specificData, unimplemented });
  }

  /** Handles UNIMPLEMENTED (RFC 4253 section 11.4): a failure, if `sequence` is that of a pending request. */
  unimplemented(sequence: number): void {
    // Strict kex resets sequence numbers, so two requests may have the same. The peer reads the older one first.
    const index = this.#pending.findIndex((request) => request.sequence === sequence);
    if (index >= 0) this.settle(index, false, new Uint8Array(0), true);
  }
}
