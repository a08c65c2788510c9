/** What the connection machine is told of channels, and what it tells. @module */
import type { Bytes } from "@postern/wire";
import type { ReplySlot } from "./replies.ts";

/** How much the peer may send on a channel before we give credit, and in one message. */
export interface ChannelLimits {
  readonly window: number;
  readonly maxPacket: number;
}

/** What the connection machine has to tell. Ids are ours. */
export type ConnectionEvent =
  /** the peer opens a channel; answer with `confirmOpen` or `refuseOpen` */
  | { readonly type: "open"; readonly id: number; readonly channelType: string; readonly specificData: Bytes }
  /** the peer answered our open */
  | { readonly type: "opened"; readonly id: number; readonly specificData: Bytes }
  | { readonly type: "openFailed"; readonly id: number; readonly reason: number; readonly description: string }
  /** user data (view): credit it with `consumed`; `dataType` is undefined for the ordinary stream */
  | { readonly type: "data"; readonly id: number; readonly data: Bytes; readonly dataType: number | undefined }
  | { readonly type: "eof"; readonly id: number }
  /** both CLOSEs have passed; the id is forgotten */
  | { readonly type: "closed"; readonly id: number }
  /** after `closeAfterWrite` the peer gave no credit in time; close the channel */
  | { readonly type: "stalled"; readonly id: number }
  /** `write` took less than it was given; now it will take more */
  | { readonly type: "writable"; readonly id: number }
  /** answer with `reply` when a slot is given */
  | {
      readonly type: "request";
      readonly id: number;
      readonly requestType: string;
      readonly specificData: Bytes;
      readonly slot: ReplySlot | undefined;
    }
  /** the answer to our `request` */
  | { readonly type: "reply"; readonly id: number; readonly ok: boolean }
  /** answer with `replyGlobal` when a slot is given */
  | {
      readonly type: "globalRequest";
      readonly name: string;
      readonly specificData: Bytes;
      readonly slot: ReplySlot | undefined;
    }
  /**
   * The answer to one of our `globalRequest`s that wait; `index` is its place among them, 0 the oldest. `unimplemented`: the peer sent
   * UNIMPLEMENTED, and `ok` is false.
   */
  | {
      readonly type: "globalReply";
      readonly index: number;
      readonly ok: boolean;
      readonly specificData: Bytes;
      readonly unimplemented: true | undefined;
    };
