/** The connection layer, RFC 4254: channels, windows and requests. It has no role. @module */
import {
  type Bytes,
  ChannelClose,
  ChannelData,
  ChannelEof,
  ChannelExtendedData,
  ChannelFailure,
  ChannelOpen,
  ChannelOpenConfirmation,
  ChannelOpenFailure,
  ChannelRequest,
  ChannelSuccess,
  ChannelWindowAdjust,
  GlobalRequest,
  getUint32,
  Limits,
  OpenFailureReason,
  type PayloadSink,
  putUint32,
  RequestFailure,
  RequestSuccess,
  SshError,
} from "@postern/wire";
import { ChannelState, flowing } from "./channel-state.ts";
import type { ChannelLimits, ConnectionEvent } from "./connection-events.ts";
import { Deadlines } from "./deadlines.ts";
import { ReplyQueue, type ReplySlot } from "./replies.ts";

/** What a {@link ConnectionMachine} is made of. */
export interface ConnectionOptions {
  readonly sink: PayloadSink;
  /** milliseconds on the clock that `tick` tells */
  readonly now: number;
}

/** All channels and requests of one connection. */
export class ConnectionMachine {
  readonly #sink: PayloadSink;
  readonly #events: ConnectionEvent[] = [];
  readonly #channels = new Map<number, ChannelState>();
  readonly #globalReplies: ReplyQueue;
  /** channels that wait for the peer's credit */
  readonly #starved = new Set<number>();
  /** channels that wait for room in the sink, in the order in which they will be woken */
  readonly #waiting = new Set<number>();
  /** channels done in both directions that wait for the opener's CLOSE */
  readonly #lingering = new Deadlines(Limits.closeGraceMs);
  /** channels whose CLOSE waits for the peer's credit */
  readonly #stalled = new Deadlines(Limits.closeStallMs);
  /** credit that such a channel has got since its deadline was set */
  readonly #stalledCredit = new Map<number, number>();
  #nextId = 0;
  /** our global requests that wait for an answer, oldest first; the number of its packet is known once it has left */
  readonly #awaitedGlobal: { sequence: number | undefined }[] = [];
  #unanswered = 0;
  #now: number;

  constructor({ sink, now }: ConnectionOptions) {
    this.#sink = sink;
    this.#now = now;
    this.#globalReplies = new ReplyQueue((payload) => sink.send(payload));
  }

  /** Channels that are open, opening or closing. */
  get channelCount(): number {
    return this.#channels.size;
  }

  /** False while the peer has asked much that we have not answered. An answer that waits for an older one counts: it takes memory until it leaves. */
  get wantsInput(): boolean {
    return this.#unanswered < Limits.unansweredRequests;
  }

  get deadline(): number | undefined {
    const a = this.#lingering.next(this.#now);
    const b = this.#stalled.next(this.#now);
    return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
  }

  next(): ConnectionEvent | undefined {
    return this.#events.shift();
  }

  /** Sets the time; closes channels whose opener did not close them in time, and reports those whose CLOSE stalls. */
  tick(now: number): void {
    this.#now = now;
    for (const id of this.#lingering.due(now)) this.close(id);
    for (const id of this.#stalled.due(now)) {
      this.#stalledCredit.delete(id);
      this.#events.push({ type: "stalled", id });
    }
  }

  /** The sink is writable again: wakes the channels that wait for it, those first that waited longest. */
  resumed(): void {
    if (this.#waiting.size === 0) return;
    for (const id of this.#waiting) this.#events.push({ type: "writable", id });
    this.#waiting.clear();
  }

  /** A message numbered 80 to 127 (view). False: the number means nothing to this layer. */
  receive(payload: Bytes): boolean {
    switch (payload[0]) {
      case ChannelData.number:
        this.#data(payload);
        break;
      case ChannelWindowAdjust.number:
        this.#windowAdjust(payload);
        break;
      case ChannelExtendedData.number: {
        const { recipientChannel, dataType, data } = ChannelExtendedData.decode(payload);
        this.#deliver(recipientChannel, data, dataType);
        break;
      }
      case ChannelEof.number:
        this.#eof(ChannelEof.decode(payload).recipientChannel);
        break;
      case ChannelClose.number:
        this.#close(ChannelClose.decode(payload).recipientChannel);
        break;
      case ChannelOpen.number:
        this.#open(payload);
        break;
      case ChannelOpenConfirmation.number:
        this.#openConfirmation(payload);
        break;
      case ChannelOpenFailure.number:
        this.#openFailure(payload);
        break;
      case ChannelRequest.number:
        this.#request(payload);
        break;
      case ChannelSuccess.number:
        this.#reply(ChannelSuccess.decode(payload).recipientChannel, true);
        break;
      case ChannelFailure.number:
        this.#reply(ChannelFailure.decode(payload).recipientChannel, false);
        break;
      case GlobalRequest.number:
        this.#globalRequest(payload);
        break;
      case RequestSuccess.number:
        this.#globalReply(0, true, RequestSuccess.decode(payload).specificData);
        break;
      case RequestFailure.number:
        RequestFailure.decode(payload);
        this.#globalReply(0, false, new Uint8Array(0));
        break;
      default:
        return false;
    }
    return true;
  }

  /** Opens a channel; the events `opened` or `openFailed` tell how it went. */
  openChannel(channelType: string, specificData: Bytes, { window, maxPacket }: ChannelLimits): number {
    if (this.#channels.size >= Limits.channels) {
      throw new SshError("limit", `expected at most ${Limits.channels} channels on one connection`);
    }
    const { id } = this.#add("ours", window, maxPacket);
    this.#sink.send(
      ChannelOpen.encode({ channelType, senderChannel: id, initialWindow: window, maxPacket, specificData }),
    );
    return id;
  }

  /** Nobody waits for the channel any more. The id stays taken until the peer has answered. */
  abandonOpen(id: number): void {
    const state = this.#channels.get(id);
    if (state?.phase.at === "opening") state.phase = { at: "opening", abandoned: true };
  }

  /** Accepts the peer's open; without `limits` it may send as much as `Limits` says. */
  confirmOpen(id: number, specificData: Bytes = new Uint8Array(0), limits?: ChannelLimits): void {
    const state = this.#deciding(id);
    if (limits !== undefined) state.setLimits(limits.window, limits.maxPacket);
    state.phase = flowing;
    const { peerId: recipientChannel, receiveWindow: initialWindow, maxPacket } = state;
    this.#sink.send(
      ChannelOpenConfirmation.encode({ recipientChannel, senderChannel: id, initialWindow, maxPacket, specificData }),
    );
  }

  /** Refuses the peer's open with a reason of RFC 4254 section 5.1. */
  refuseOpen(id: number, reason: number, description: string): void {
    const state = this.#deciding(id);
    this.#channels.delete(id);
    this.#sendOpenFailure(state.peerId, reason, description);
  }

  /**
   * Sends as much of `data` (copies) as the peer's window and the sink allow, and gives that number of bytes.
   * When it is less than all, the event `writable` follows once there is window and room.
   */
  write(id: number, data: Bytes): number {
    const state = this.#channels.get(id);
    if (state?.phase.at !== "open" || state.phase.out !== "data") return 0;
    const largest = Math.min(state.peerMaxPacket, Limits.maxPacket);
    let sent = 0;
    while (sent < data.length) {
      const size = Math.min(data.length - sent, state.sendWindow, largest);
      if (size === 0 || !this.#sink.writable) {
        (size === 0 ? this.#starved : this.#waiting).add(id);
        if (size === 0 && state.closesAfterWrite) this.#stalled.add(id);
        break;
      }
      this.#sink.send(dataHead(state.peerId, size), data.subarray(sent, sent + size));
      state.sendWindow -= size;
      sent += size;
    }
    return sent;
  }

  /** Whether the sink has room for more; when not, the event `writable` follows. */
  hasRoom(id: number): boolean {
    if (this.#sink.writable) return true;
    this.#waiting.add(id);
    return false;
  }

  /** The consumer took `size` bytes of data, or they were dropped: the peer gets that much credit, or `credit` to resize the window. */
  consumed(id: number, size: number, credit: number = size): void {
    const state = this.#channels.get(id);
    if (state?.phase.at !== "open" || state.phase.in !== "data") return;
    const bytesToAdd = state.consumed(size, credit);
    if (bytesToAdd > 0) this.#sink.send(ChannelWindowAdjust.encode({ recipientChannel: state.peerId, bytesToAdd }));
  }

  /** Sends EOF, after all data. Does nothing when that has been done. */
  eof(id: number): void {
    const state = this.#channels.get(id);
    if (state?.phase.at !== "open" || state.phase.out !== "data") return;
    state.phase = { ...state.phase, out: "eof" };
    this.#sink.send(ChannelEof.encode({ recipientChannel: state.peerId }));
    this.#closeIfDone(state);
  }

  /** The channel is closed once all has been written. If the peer gives no credit for that, the event `stalled` follows. */
  closeAfterWrite(id: number): void {
    const state = this.#channels.get(id);
    if (state?.phase.at !== "open") return;
    state.closesAfterWrite = true;
    if (this.#starved.has(id)) this.#stalled.add(id);
  }

  /** Sends CLOSE now, whatever is under way. Does nothing when that has been done. */
  close(id: number): void {
    const state = this.#channels.get(id);
    if (state?.phase.at !== "open") return;
    this.#lingering.delete(id);
    this.#endStall(id);
    this.#starved.delete(id);
    this.#waiting.delete(id);
    state.phase = { at: "closing", in: state.phase.in };
    this.#unanswered -= state.replies?.drop() ?? 0;
    this.#sink.send(ChannelClose.encode({ recipientChannel: state.peerId }));
  }

  /** Sends a channel request. With `wantReply` the event `reply` follows, in the order of the requests. */
  request(id: number, requestType: string, specificData: Bytes, wantReply: boolean): void {
    const state = this.#channels.get(id);
    if (state?.phase.at !== "open") throw new SshError("closed", "expected an open channel for a request");
    if (wantReply) state.awaited++;
    this.#sink.send(ChannelRequest.encode({ recipientChannel: state.peerId, requestType, wantReply, specificData }));
  }

  /** Answers the peer's channel request; owed for every slot. Nothing is sent once our CLOSE is out. */
  reply(id: number, slot: ReplySlot, ok: boolean): void {
    const state = this.#channels.get(id);
    const payload = (ok ? ChannelSuccess : ChannelFailure).encode({ recipientChannel: state?.peerId ?? 0 });
    this.#unanswered -= state?.phase.at === "open" ? this.#repliesOf(state).settle(slot, payload) : 1;
  }

  /** Sends a global request. With `wantReply` the event `globalReply` follows, in the order of the requests. */
  globalRequest(name: string, specificData: Bytes, wantReply: boolean): void {
    const payload = GlobalRequest.encode({ name, wantReply, specificData });
    if (!wantReply) return this.#sink.send(payload);
    const request: { sequence: number | undefined } = { sequence: undefined };
    this.#awaitedGlobal.push(request);
    this.#sink.send(payload, undefined, (sequence) => {
      request.sequence = sequence;
    });
  }

  /**
   * The peer sent UNIMPLEMENTED (RFC 4253 section 11.4): a failure, if it names a global request that waits. Numbers start again with new keys
   * (strict kex), so two may be the same: the peer reads the older one first.
   */
  unimplemented(sequence: number): void {
    const index = this.#awaitedGlobal.findIndex((request) => request.sequence === sequence);
    if (index >= 0) this.#globalReply(index, false, new Uint8Array(0), true);
  }

  /** Answers the peer's global request; `specific` goes with a success. */
  replyGlobal(slot: ReplySlot, ok: boolean, specificData: Bytes = new Uint8Array(0)): void {
    this.#unanswered -= this.#globalReplies.settle(
      slot,
      ok ? RequestSuccess.encode({ specificData }) : RequestFailure.encode({}),
    );
  }

  #add(opener: "ours" | "theirs", window: number, maxPacket: number): ChannelState {
    // Ids are not reused at once, so that a late message is not taken for another channel's.
    while (this.#channels.has(this.#nextId)) this.#nextId = (this.#nextId + 1) >>> 0;
    const state = new ChannelState(this.#nextId, opener, window, maxPacket);
    this.#nextId = (this.#nextId + 1) >>> 0;
    this.#channels.set(state.id, state);
    return state;
  }

  #deciding(id: number): ChannelState {
    const state = this.#channels.get(id);
    if (state?.phase.at !== "deciding") throw new SshError("misuse", `expected channel ${id} to wait for a decision`);
    return state;
  }

  /** The channel a message is for. @throws SshError `protocol` for an id we do not have, or one that is not confirmed */
  #established(id: number, what: string): ChannelState {
    const state = this.#channels.get(id);
    if (state === undefined)
      throw new SshError("protocol", `expected a channel of ours, got ${what} for channel ${id}`);
    const { at } = state.phase;
    if (at === "open" || at === "closing") return state;
    throw new SshError("protocol", `expected no ${what} for channel ${id} before it is confirmed`);
  }

  /** CHANNEL_DATA by hand: it is the hot path. Tested equal to its table. */
  #data(payload: Bytes): void {
    const size = payload.length - 9;
    if (size < 0 || getUint32(payload, 5) !== size) ChannelData.decode(payload);
    this.#deliver(getUint32(payload, 1), payload.subarray(9), undefined);
  }

  #deliver(id: number, data: Bytes, dataType: number | undefined): void {
    const state = this.#established(id, "data");
    state.received(data.length);
    // After our CLOSE there is no consumer, and the peer needs no more credit.
    if (state.phase.at === "open") this.#events.push({ type: "data", id, data, dataType });
  }

  #windowAdjust(payload: Bytes): void {
    const { recipientChannel, bytesToAdd } = ChannelWindowAdjust.decode(payload);
    // It may cross our CLOSE on the wire, and so it is the one message that may name a forgotten channel.
    if (!this.#channels.has(recipientChannel)) return;
    this.#established(recipientChannel, "WINDOW_ADJUST").adjust(bytesToAdd);
    if (bytesToAdd === 0 || !this.#starved.delete(recipientChannel)) return;
    this.#extend(recipientChannel, bytesToAdd);
    if (this.hasRoom(recipientChannel)) this.#events.push({ type: "writable", id: recipientChannel });
  }

  /** Credit extends the deadline of a stalled CLOSE, but not byte by byte: such a peer would keep the channel for ever. */
  #extend(id: number, bytes: number): void {
    if (!this.#stalled.has(id)) return;
    const credit = (this.#stalledCredit.get(id) ?? 0) + bytes;
    if (credit < Limits.closeStallCredit) this.#stalledCredit.set(id, credit);
    else this.#endStall(id);
  }

  #endStall(id: number): void {
    this.#stalled.delete(id);
    this.#stalledCredit.delete(id);
  }

  #eof(id: number): void {
    const state = this.#established(id, "EOF");
    if (!("in" in state.phase)) return;
    if (state.phase.in === "eof") throw new SshError("protocol", "expected EOF once");
    state.phase = { ...state.phase, in: "eof" };
    if (state.phase.at !== "open") return;
    this.#events.push({ type: "eof", id });
    this.#closeIfDone(state);
  }

  /** Both directions are done. The side that opened the channel closes it; the other one only when that takes too long. */
  #closeIfDone(state: ChannelState): void {
    if (state.phase.at !== "open" || state.phase.in !== "eof" || state.phase.out !== "eof") return;
    if (state.opener === "ours") this.close(state.id);
    else this.#lingering.add(state.id);
  }

  #close(id: number): void {
    const state = this.#established(id, "CLOSE");
    // RFC 4254 section 5.3: CLOSE is answered with CLOSE, unless it has been sent.
    this.close(id);
    this.#channels.delete(state.id);
    this.#events.push({ type: "closed", id });
  }

  #open(payload: Bytes): void {
    const { channelType, senderChannel, initialWindow, maxPacket, specificData } = ChannelOpen.decode(payload);
    if (this.#channels.size >= Limits.channels) {
      const description = `at most ${Limits.channels} channels on one connection`;
      return this.#sendOpenFailure(senderChannel, OpenFailureReason.RESOURCE_SHORTAGE, description);
    }
    const state = this.#add("theirs", Limits.window, Limits.maxPacket);
    state.setPeer(senderChannel, initialWindow, maxPacket);
    this.#events.push({ type: "open", id: state.id, channelType, specificData });
  }

  #sendOpenFailure(recipientChannel: number, reason: number, description: string): void {
    this.#sink.send(ChannelOpenFailure.encode({ recipientChannel, reason, description, language: "" }));
  }

  #opening(id: number, what: string): { readonly state: ChannelState; readonly abandoned: boolean } {
    const state = this.#channels.get(id);
    if (state?.phase.at === "opening") return { state, abandoned: state.phase.abandoned };
    throw new SshError("protocol", `expected no ${what} for channel ${id}: it was not asked for`);
  }

  #openConfirmation(payload: Bytes): void {
    const message = ChannelOpenConfirmation.decode(payload);
    const { state, abandoned } = this.#opening(message.recipientChannel, "CHANNEL_OPEN_CONFIRMATION");
    state.setPeer(message.senderChannel, message.initialWindow, message.maxPacket);
    state.phase = flowing;
    if (abandoned) this.close(state.id);
    else this.#events.push({ type: "opened", id: state.id, specificData: message.specificData });
  }

  #openFailure(payload: Bytes): void {
    const { recipientChannel: id, reason, description } = ChannelOpenFailure.decode(payload);
    const { abandoned } = this.#opening(id, "CHANNEL_OPEN_FAILURE");
    this.#channels.delete(id);
    if (!abandoned) this.#events.push({ type: "openFailed", id, reason, description });
  }

  #request(payload: Bytes): void {
    const { recipientChannel: id, requestType, wantReply, specificData } = ChannelRequest.decode(payload);
    const state = this.#established(id, "CHANNEL_REQUEST");
    if (state.phase.at !== "open") return;
    if (wantReply) this.#unanswered++;
    const slot = wantReply ? this.#repliesOf(state).add() : undefined;
    this.#events.push({ type: "request", id, requestType, specificData, slot });
  }

  #repliesOf(state: ChannelState): ReplyQueue {
    state.replies ??= new ReplyQueue((payload) => this.#sink.send(payload));
    return state.replies;
  }

  #reply(id: number, ok: boolean): void {
    const state = this.#established(id, ok ? "CHANNEL_SUCCESS" : "CHANNEL_FAILURE");
    if (state.awaited === 0) throw new SshError("protocol", `expected no reply on channel ${id}: nothing was asked`);
    state.awaited--;
    this.#events.push({ type: "reply", id, ok });
  }

  #globalRequest(payload: Bytes): void {
    const { name, wantReply, specificData } = GlobalRequest.decode(payload);
    if (wantReply) this.#unanswered++;
    const slot = wantReply ? this.#globalReplies.add() : undefined;
    this.#events.push({ type: "globalRequest", name, specificData, slot });
  }

  #globalReply(index: number, ok: boolean, specificData: Bytes, unimplemented?: true): void {
    if (this.#awaitedGlobal.splice(index, 1).length === 0) {
      throw new SshError("protocol", "expected no reply: nothing was asked");
    }
    this.#events.push({ type: "globalReply", index, ok, specificData, unimplemented });
  }
}

/** The sink copies it before the next one is made. */
const head: Bytes = /* @__PURE__ */ new Uint8Array(9);

/** The first nine bytes of CHANNEL_DATA, by hand. */
function dataHead(peerId: number, size: number): Bytes {
  head[0] = ChannelData.number;
  putUint32(head, 1, peerId);
  putUint32(head, 5, size);
  return head;
}
