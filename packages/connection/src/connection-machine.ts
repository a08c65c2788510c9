/**
 * The connection layer, RFC 4254: channels, windows and requests, the same in both roles.
 * Longer than 300 lines, because every message depends on the phase of its channel.
 * @module
 */
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
  OpenFailureReason,
  type PayloadSink,
  putUint32,
  RequestFailure,
  RequestSuccess,
  SshError,
} from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { ChannelState, openPhase } from "./channel-state.ts";
import { CloseDeadlines } from "./close-deadlines.ts";
import type { ChannelLimits, ConnectionEvent } from "./connection-events.ts";
import { GlobalRequests } from "./global-requests.ts";
import { ReplyQueue, type ReplySlot } from "./replies.ts";

/** Options of a {@link ConnectionMachine}. */
export interface ConnectionOptions {
  readonly sink: PayloadSink;
  /** the current time in milliseconds, on the same clock as the argument of `tick` */
  readonly now: number;
}

/** All channels and requests of one connection. */
export class ConnectionMachine {
  readonly globalRequests: GlobalRequests;
  readonly #sink: PayloadSink;
  readonly #events: ConnectionEvent[] = [];
  readonly #channels = new Map<number, ChannelState>();
  /** channels whose data waits for window */
  readonly #waitingForWindow = new Set<number>();
  /** channels whose data waits for the sink, the longest waiting first */
  readonly #waitingForSink = new Set<number>();
  readonly #closeDeadlines = new CloseDeadlines();
  #nextId = 0;
  /** the peer's channel requests that have no reply on its way yet */
  #unanswered = 0;
  #now: number;

  constructor({ sink, now }: ConnectionOptions) {
    this.#sink = sink;
    this.#now = now;
    this.globalRequests = new GlobalRequests(sink, this.#events);
  }

  /** Channels that are open, opening or closing. */
  get channelCount(): number {
    return this.#channels.size;
  }

  /** `false` while too many requests of the peer wait for a reply. A ready reply uses memory, and counts until sent. */
  get wantsInput(): boolean {
    return this.#unanswered + this.globalRequests.unanswered < Limits.unansweredRequests;
  }

  get deadline(): number | undefined {
    return this.#closeDeadlines.next(this.#now);
  }

  next(): ConnectionEvent | undefined {
    return this.#events.shift() ?? this.#nextWritable();
  }

  /** Sets the time. Closes channels that the peer did not close in time, and reports those whose CLOSE stalls. */
  tick(now: number): void {
    this.#now = now;
    for (const id of this.#closeDeadlines.notClosed(now)) this.close(id);
    for (const id of this.#closeDeadlines.stalled(now)) this.#events.push({ type: "stalled", id });
  }

  /** Handles a message numbered 80 to 127 (view). Returns `false` if the number is unknown. */
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
        this.globalRequests.receive(payload);
        break;
      case RequestSuccess.number:
        this.globalRequests.settle(0, true, RequestSuccess.decode(payload).specificData);
        break;
      case RequestFailure.number:
        RequestFailure.decode(payload);
        this.globalRequests.settle(0, false, new Uint8Array(0));
        break;
      default:
        return false;
    }
    return true;
  }

  /** Opens a channel, and returns its id. The event `opened` or `openFailed` follows. */
  openChannel(channelType: string, specificData: Bytes, { window, maxPacket }: ChannelLimits): number {
    if (this.#channels.size >= Limits.channels) {
      throw new SshError("limit", `expected at most ${Limits.channels} channels on one connection`);
    }
    const state = this.#add("ours", window, maxPacket);
    state.awaitsClose = channelType === "session";
    const { id } = state;
    this.#sink.send(
      ChannelOpen.encode({ channelType, senderChannel: id, initialWindow: window, maxPacket, specificData }),
    );
    return id;
  }

  /** Gives up a channel that is opening. Its id stays in use until the peer answers. */
  abandonOpen(id: number): void {
    const state = this.#channels.get(id);
    if (state?.phase.at === "opening") state.phase = { at: "opening", abandoned: true };
  }

  /** Accepts the peer's open. `limits` defaults to `Limits.window` and `Limits.maxPacket`. */
  confirmOpen(id: number, specificData: Bytes = new Uint8Array(0), limits?: ChannelLimits): void {
    const state = this.#deciding(id);
    if (limits !== undefined) state.setLimits(limits.window, limits.maxPacket);
    state.phase = openPhase;
    const { peerId: recipientChannel, receiveWindow: initialWindow, maxPacket } = state;
    this.#sink.send(
      ChannelOpenConfirmation.encode({ recipientChannel, senderChannel: id, initialWindow, maxPacket, specificData }),
    );
  }

  /** Refuses the peer's open, with a reason code of RFC 4254 section 5.1. */
  refuseOpen(id: number, reason: number, description: string): void {
    const state = this.#deciding(id);
    this.#channels.delete(id);
    this.#sendOpenFailure(state.peerId, reason, description);
  }

  /**
   * Sends as much of `data` (copies) as the window and the sink allow, and returns the number of bytes.
   * If it sends less than all, the event `writable` follows once more can be sent.
   *
   * @param dataType sends extended data of this type (RFC 4254 section 5.2)
   */
  write(id: number, data: Bytes, dataType?: number): number {
    const state = this.#channels.get(id);
    if (state?.phase.at !== "open" || state.phase.out !== "data") return 0;
    const largest = Math.min(state.peerMaxPacket, Limits.maxPacket);
    let sent = 0;
    while (sent < data.length) {
      const size = Math.min(data.length - sent, state.sendWindow, largest);
      if (size === 0 || !this.#sink.writable) {
        (size === 0 ? this.#waitingForWindow : this.#waitingForSink).add(id);
        if (size === 0 && state.closesAfterWrite) this.#closeDeadlines.expectWindow(id);
        break;
      }
      this.#sink.send(dataHead(state.peerId, size, dataType), data.subarray(sent, sent + size));
      state.sendWindow -= size;
      sent += size;
    }
    return sent;
  }

  /** Whether the sink accepts data. If it does not, the event `writable` follows. */
  hasRoom(id: number): boolean {
    if (this.#sink.writable) return true;
    this.#waitingForSink.add(id);
    return false;
  }

  /** Extends the peer's window by `size` bytes that were consumed or dropped. Pass `credit` to resize the window. */
  consumed(id: number, size: number, credit: number = size): void {
    const state = this.#channels.get(id);
    if (state?.phase.at !== "open" || state.phase.in !== "data") return;
    const bytesToAdd = state.consumed(size, credit);
    if (bytesToAdd > 0) this.#sink.send(ChannelWindowAdjust.encode({ recipientChannel: state.peerId, bytesToAdd }));
  }

  /** Sends EOF, unless it has been sent. Call it after all data. */
  eof(id: number): void {
    const state = this.#channels.get(id);
    if (state?.phase.at !== "open" || state.phase.out !== "data") return;
    state.phase = { ...state.phase, out: "eof" };
    this.#sink.send(ChannelEof.encode({ recipientChannel: state.peerId }));
    this.#closeIfDone(state);
  }

  /** After EOF in both directions, the peer's channel stays open until its user closes it, or the peer does. */
  awaitClose(id: number): void {
    const state = this.#channels.get(id);
    if (state !== undefined) state.awaitsClose = true;
  }

  /** Announces a `close` after all data. If the data waits too long for window, the event `stalled` follows. */
  closeAfterWrite(id: number): void {
    const state = this.#channels.get(id);
    if (state?.phase.at !== "open") return;
    state.closesAfterWrite = true;
    if (this.#waitingForWindow.has(id)) this.#closeDeadlines.expectWindow(id);
  }

  /** Sends CLOSE at once, unless it has been sent. */
  close(id: number): void {
    const state = this.#channels.get(id);
    if (state?.phase.at !== "open") return;
    this.#closeDeadlines.delete(id);
    this.#waitingForWindow.delete(id);
    this.#waitingForSink.delete(id);
    state.phase = { at: "closing", in: state.phase.in };
    this.#unanswered -= state.replies?.drop() ?? 0;
    this.#sink.send(ChannelClose.encode({ recipientChannel: state.peerId }));
  }

  /** Sends a channel request. With `wantReply`, the event `reply` follows, in the order of the requests. */
  request(id: number, requestType: string, specificData: Bytes, wantReply: boolean): void {
    const state = this.#channels.get(id);
    if (state?.phase.at !== "open") throw new SshError("closed", "expected an open channel for a request");
    if (wantReply) state.pendingReplies++;
    this.#sink.send(ChannelRequest.encode({ recipientChannel: state.peerId, requestType, wantReply, specificData }));
  }

  /** Answers the peer's channel request. Call it once for every slot. After our CLOSE it sends nothing. */
  reply(id: number, slot: ReplySlot, ok: boolean): void {
    const state = this.#channels.get(id);
    const payload = (ok ? ChannelSuccess : ChannelFailure).encode({ recipientChannel: state?.peerId ?? 0 });
    this.#unanswered -= state?.phase.at === "open" ? this.#repliesOf(state).settle(slot, payload) : 1;
  }

  /** Reports the channels that wait for the sink one by one, because the first few of thousands may fill it again. */
  #nextWritable(): ConnectionEvent | undefined {
    if (this.#waitingForSink.size === 0 || !this.#sink.writable) return undefined;
    const [id = 0] = this.#waitingForSink;
    this.#waitingForSink.delete(id);
    return { type: "writable", id };
  }

  #add(openedBy: "ours" | "theirs", window: number, maxPacket: number): ChannelState {
    // A free id is not reused at once, so that a late message does not reach another channel.
    while (this.#channels.has(this.#nextId)) this.#nextId = (this.#nextId + 1) >>> 0;
    const state = new ChannelState(this.#nextId, openedBy, window, maxPacket);
    this.#nextId = (this.#nextId + 1) >>> 0;
    this.#channels.set(state.id, state);
    return state;
  }

  #deciding(id: number): ChannelState {
    const state = this.#channels.get(id);
    if (state?.phase.at !== "deciding")
      throw new SshError("misuse", `expected a pending open of the peer for channel ${id}`);
    return state;
  }

  /** Returns the channel of a message. @throws SshError `protocol` if the id is unknown or not confirmed */
  #established(id: number, message: string): ChannelState {
    const state = this.#channels.get(id);
    if (state === undefined) {
      throw new SshError("protocol", `expected the id of an open channel, got ${message} for channel ${id}`);
    }
    const { at } = state.phase;
    if (at === "open" || at === "closing") return state;
    throw new SshError("protocol", `expected no ${message} for channel ${id} before it is confirmed`);
  }

  /** Decodes CHANNEL_DATA without its table, because it is the hot path. */
  #data(payload: Bytes): void {
    const size = payload.length - 9;
    if (size < 0 || getUint32(payload, 5) !== size) ChannelData.decode(payload);
    this.#deliver(getUint32(payload, 1), payload.subarray(9), undefined);
  }

  #deliver(id: number, data: Bytes, dataType: number | undefined): void {
    const state = this.#established(id, "data");
    state.received(data.length);
    // After our CLOSE there is no consumer, and the peer needs no more window.
    if (state.phase.at === "open") this.#events.push({ type: "data", id, data, dataType });
  }

  #windowAdjust(payload: Bytes): void {
    const { recipientChannel, bytesToAdd } = ChannelWindowAdjust.decode(payload);
    // The peer may send it before it reads our CLOSE, so it is the one message that may name a closed channel.
    if (!this.#channels.has(recipientChannel)) return;
    this.#established(recipientChannel, "WINDOW_ADJUST").adjust(bytesToAdd);
    if (bytesToAdd === 0 || !this.#waitingForWindow.delete(recipientChannel)) return;
    this.#closeDeadlines.granted(recipientChannel, bytesToAdd);
    if (this.hasRoom(recipientChannel)) this.#events.push({ type: "writable", id: recipientChannel });
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

  /** After EOF in both directions, the side that opened the channel closes it, or else we do after a grace period. */
  #closeIfDone(state: ChannelState): void {
    if (state.phase.at !== "open" || state.phase.in !== "eof" || state.phase.out !== "eof") return;
    if (state.awaitsClose) return;
    if (state.openedBy === "ours") this.close(state.id);
    else this.#closeDeadlines.expectClose(state.id);
  }

  #close(id: number): void {
    const state = this.#established(id, "CLOSE");
    // RFC 4254 section 5.3: CLOSE is answered with CLOSE.
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

  #opening(id: number, message: string): { readonly state: ChannelState; readonly abandoned: boolean } {
    const state = this.#channels.get(id);
    if (state?.phase.at === "opening") return { state, abandoned: state.phase.abandoned };
    throw new SshError("protocol", `expected no ${message} for channel ${id}, because no open is pending`);
  }

  #openConfirmation(payload: Bytes): void {
    const message = ChannelOpenConfirmation.decode(payload);
    const { state, abandoned } = this.#opening(message.recipientChannel, "CHANNEL_OPEN_CONFIRMATION");
    state.setPeer(message.senderChannel, message.initialWindow, message.maxPacket);
    state.phase = openPhase;
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
    if (state.pendingReplies === 0) {
      throw new SshError("protocol", `expected no reply on channel ${id}, because no request is pending`);
    }
    state.pendingReplies--;
    this.#events.push({ type: "reply", id, ok });
  }
}

/** One buffer for all, because the sink copies it. */
const head: Bytes = /* @__PURE__ */ new Uint8Array(9);

/** Encodes the first bytes of CHANNEL_DATA or CHANNEL_EXTENDED_DATA: all but the data. */
function dataHead(peerId: number, size: number, dataType: number | undefined): Bytes {
  if (dataType !== undefined) {
    const data = new Uint8Array(0);
    const extended = ChannelExtendedData.encode({ recipientChannel: peerId, dataType, data });
    putUint32(extended, 9, size);
    return extended;
  }
  head[0] = ChannelData.number;
  putUint32(head, 1, peerId);
  putUint32(head, 5, size);
  return head;
}
