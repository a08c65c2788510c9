/** Messages 80 to 100, in the order of RFC 4254. @module */
import { boolean, message, optionalText, rest, string, text, uint32 } from "../codec.ts";

/** RFC 4254 section 4 */
export const GlobalRequest = message(80, "GLOBAL_REQUEST", { name: text, wantReply: boolean, specificData: rest });
/** RFC 4254 section 4 */
export const RequestSuccess = message(81, "REQUEST_SUCCESS", { specificData: rest });
/** RFC 4254 section 4 */
export const RequestFailure = message(82, "REQUEST_FAILURE", {});
/** RFC 4254 section 5.1 */
export const ChannelOpen = message(90, "CHANNEL_OPEN", {
  channelType: text,
  senderChannel: uint32,
  initialWindow: uint32,
  maxPacket: uint32,
  specificData: rest,
});
/** RFC 4254 section 5.1 */
export const ChannelOpenConfirmation = message(91, "CHANNEL_OPEN_CONFIRMATION", {
  recipientChannel: uint32,
  senderChannel: uint32,
  initialWindow: uint32,
  maxPacket: uint32,
  specificData: rest,
});
/** RFC 4254 section 5.1 */
export const ChannelOpenFailure = message(92, "CHANNEL_OPEN_FAILURE", {
  recipientChannel: uint32,
  reason: uint32,
  description: text,
  language: optionalText,
});
/** RFC 4254 section 5.2 */
export const ChannelWindowAdjust = message(93, "CHANNEL_WINDOW_ADJUST", {
  recipientChannel: uint32,
  bytesToAdd: uint32,
});
/** RFC 4254 section 5.2 */
export const ChannelData = message(94, "CHANNEL_DATA", { recipientChannel: uint32, data: string });
/** RFC 4254 section 5.2 */
export const ChannelExtendedData = message(95, "CHANNEL_EXTENDED_DATA", {
  recipientChannel: uint32,
  dataType: uint32,
  data: string,
});
/** RFC 4254 section 5.3 */
export const ChannelEof = message(96, "CHANNEL_EOF", { recipientChannel: uint32 });
/** RFC 4254 section 5.3 */
export const ChannelClose = message(97, "CHANNEL_CLOSE", { recipientChannel: uint32 });
/** RFC 4254 section 5.4 */
export const ChannelRequest = message(98, "CHANNEL_REQUEST", {
  recipientChannel: uint32,
  requestType: text,
  wantReply: boolean,
  specificData: rest,
});
/** RFC 4254 section 5.4 */
export const ChannelSuccess = message(99, "CHANNEL_SUCCESS", { recipientChannel: uint32 });
/** RFC 4254 section 5.4 */
export const ChannelFailure = message(100, "CHANNEL_FAILURE", { recipientChannel: uint32 });

/** Reason codes of CHANNEL_OPEN_FAILURE (RFC 4254 section 5.1). */
export const OpenFailureReason = {
  ADMINISTRATIVELY_PROHIBITED: 1,
  CONNECT_FAILED: 2,
  UNKNOWN_CHANNEL_TYPE: 3,
  RESOURCE_SHORTAGE: 4,
} as const;
