/** The events of the connection machine. @module */
import type { Bytes } from "@postern/wire";
import type { ReplySlot } from "./replies.ts";

/** The initial receive window of a channel, and the largest data string that it accepts. */
export interface ChannelLimits {
  readonly window: number;
  readonly maxPacket: number;
}

/** An event of a connection machine. Channel ids are ours. */
export type ConnectionEvent =
  /** the peer opens a channel; call `confirmOpen` or `refuseOpen` */
  | { readonly type: "open"; readonly id: number; readonly channelType: string; readonly specificData: Bytes }
  /** the peer confirmed our open */
  | { readonly type: "opened"; readonly id: number; readonly specificData: Bytes }
  | { readonly type: "openFailed"; readonly id: number; readonly reason: number; readonly description: string }
  /** user data (view); call `consumed` for its bytes. `dataType` is `undefined` for CHANNEL_DATA */
  | { readonly type: "data"; readonly id: number; readonly data: Bytes; readonly dataType: number | undefined }
  | { readonly type: "eof"; readonly id: number }
  /** both sides have sent CLOSE; the id is free */
  | { readonly type: "closed"; readonly id: number }
  /** after `closeAfterWrite` the peer did not extend the window in time; close the channel */
  | { readonly type: "stalled"; readonly id: number }
  /** `write` sent only a part; call it again */
  | { readonly type: "writable"; readonly id: number }
  /** if there is a slot, call `reply` with it */
  | {
      readonly type: "request";
      readonly id: number;
      readonly requestType: string;
      readonly specificData: Bytes;
      readonly slot: ReplySlot | undefined;
    }
  /** the reply to our `request` */
  | { readonly type: "reply"; readonly id: number; readonly ok: boolean }
  /** if there is a slot, call `globalRequests.reply` with it */
  | {
      readonly type: "globalRequest";
      readonly name: string;
      readonly specificData: Bytes;
      readonly slot: ReplySlot | undefined;
    }
  /**
   * The reply to one of our pending `globalRequest`s; `index` is its position among them, 0 the oldest.
   * `unimplemented`: the peer sent UNIMPLEMENTED, and `ok` is `false`.
   */
  | {
      readonly type: "globalReply";
      readonly index: number;
      readonly ok: boolean;
      readonly specificData: Bytes;
      readonly unimplemented: true | undefined;
    };
