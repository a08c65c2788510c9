/** The channels of a connection: opening them from both sides, and passing the machine's events on to them. @module */
import type { ReplySlot } from "@postern/connection";
import { type Bytes, OpenFailureReason, quote, SshError } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { SshChannel } from "./channel.ts";
import type { ConnectionContext } from "./channel-core.ts";
import { abortable, type Settler } from "./deferred.ts";
import type { SessionEvent } from "./session-machine.ts";
import type { AcceptOptions, CallOptions, Channel, ChannelOptions, IncomingOpen } from "./ssh-connection.ts";
import { WindowBudget, WindowGrowth } from "./window-growth.ts";

/** The machine's events about channels. */
export type ChannelEvent = Extract<SessionEvent, { readonly id: number }>;

interface PendingOpen extends Settler<SshChannel> {
  readonly type: string;
  readonly growth: WindowGrowth;
  readonly options: ChannelOptions;
}

/** All channels of a connection. */
export class Channels {
  readonly #context: ConnectionContext;
  readonly #windows: WindowBudget;
  readonly #channels = new Map<number, SshChannel>();
  readonly #opens = new Map<number, PendingOpen>();

  constructor(context: ConnectionContext, windowBudget: number) {
    this.#context = context;
    this.#windows = new WindowBudget(windowBudget);
  }

  async open(type: string, specificData: Bytes, options: CallOptions & ChannelOptions): Promise<Channel> {
    const { signal, window, maxPacket = Limits.maxPacket } = options;
    checkLimits(window, maxPacket);
    const { machine } = this.#context;
    return await new Promise<Channel>((resolve, reject) => {
      const growth = this.#window(window);
      let id: number;
      try {
        id = machine.openChannel(type, specificData, { window: growth.size, maxPacket });
      } catch (error) {
        growth.end(0);
        throw error;
      }
      this.#context.scheduleFlush();
      const aborted = (): void => {
        this.#opens.delete(id);
        machine.abandonOpen(id);
        growth.end(0);
        reject(signal?.reason);
      };
      this.#opens.set(id, { type, growth, options, ...abortable(signal, { resolve, reject }, aborted) });
    });
  }

  handle(event: ChannelEvent): void {
    const channel = this.#channels.get(event.id);
    switch (event.type) {
      case "data":
        if (event.dataType === undefined) channel?.input.received(event.data);
        else channel?.receivedExtended(event.data, event.dataType);
        return;
      case "writable":
        return channel?.output.sendPending();
      case "eof":
        return channel?.receivedEof();
      case "stalled":
        return channel?.stalled();
      case "closed":
        this.#channels.delete(event.id);
        return channel?.released(undefined);
      case "open":
        return this.#incomingOpen(event.id, event.channelType, event.specificData);
      case "opened":
        return this.#opened(event.id);
      case "openFailed":
        return this.#openFailed(event.id, event.reason, event.description);
      case "request":
        return this.#incomingRequest(event.id, event.requestType, event.specificData, event.slot);
      case "reply":
        return channel?.replied(event.ok);
      default:
        event satisfies never;
    }
  }

  /** The connection has ended. */
  end(reason: SshError): void {
    for (const open of this.#opens.values()) open.reject(reason);
    this.#opens.clear();
    for (const channel of this.#channels.values()) channel.released(reason);
    this.#channels.clear();
  }

  #incomingOpen(id: number, type: string, specificData: Bytes): void {
    const { machine, unsent, answerOnce, endError, onOpen } = this.#context;
    if (unsent > Limits.unsent) {
      machine.refuseOpen(id, OpenFailureReason.RESOURCE_SHORTAGE, "too many bytes wait for a window");
      return;
    }
    const once = answerOnce("a channel open");
    const open: IncomingOpen = {
      type,
      id,
      specificData,
      accept: (options = {}) => {
        const { window, maxPacket = Limits.maxPacket } = options;
        checkLimits(window, maxPacket);
        const channel = once(() => {
          const growth = this.#window(window);
          machine.confirmOpen(id, undefined, { window: growth.size, maxPacket });
          return this.#add(id, type, growth, options);
        });
        if (channel === undefined) throw endError();
        return channel;
      },
      refuse: (reason, description) => once(() => machine.refuseOpen(id, reason, description)),
    };
    if (onOpen !== undefined) onOpen(open);
    // RFC 4254 section 5.1: the reason for a type that is not understood MUST be 3. Without a handler, none is.
    else open.refuse(OpenFailureReason.UNKNOWN_CHANNEL_TYPE, "no channels are accepted");
  }

  #opened(id: number): void {
    const open = this.#opens.get(id);
    this.#opens.delete(id);
    open?.resolve(this.#add(id, open.type, open.growth, open.options));
  }

  #openFailed(id: number, reason: number, description: string): void {
    const open = this.#opens.get(id);
    this.#opens.delete(id);
    open?.growth.end(0);
    const message = `expected the peer to accept the channel, got a refusal: ${quote(description)} (reason ${reason})`;
    open?.reject(new SshError("refused", message, { reason, description }));
  }

  #incomingRequest(id: number, type: string, specificData: Bytes, slot: ReplySlot | undefined): void {
    const { machine, answerOnce } = this.#context;
    const once = answerOnce("a channel request");
    const answer = (ok: boolean): void => once(() => slot && machine.reply(id, slot, ok));
    const accept = (): void => answer(true);
    const refuse = (): void => answer(false);
    const { onRequest } = this.#channels.get(id) ?? {};
    if (onRequest !== undefined) onRequest({ type, specificData, wantReply: slot !== undefined, accept, refuse });
    // RFC 4254 section 5.4: an unknown request is answered with failure. sshd sends one to probe its clients.
    else refuse();
  }

  #add(id: number, type: string, growth: WindowGrowth, options: AcceptOptions): SshChannel {
    const channel = new SshChannel(type, id, growth, this.#context, options);
    this.#channels.set(id, channel);
    return channel;
  }

  #window(fixed: number | undefined): WindowGrowth {
    return new WindowGrowth(this.#windows, this.#context.longRoundTrip, fixed);
  }
}

/** The data of a message that fills the largest packet: with number, channel, length and the longest padding. */
const largestData = Limits.packetLength - 1 - 255 - 9;

/** RFC 4254 section 5.2: the largest packet that we announce must fit those that the transport accepts. */
function checkLimits(window: number = Limits.window, maxPacket: number): void {
  expectWithin("window", window, 0, Limits.maxWindow);
  expectWithin("maxPacket", maxPacket, 1, largestData);
}

function expectWithin(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new SshError("misuse", `expected ${name} to be an integer from ${least} to ${most}, got ${value}`);
}
