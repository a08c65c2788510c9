/** Bytes, messages, errors and limits. @module */
export * from "./bytes.ts";
export * from "./checks.ts";
export * from "./codec.ts";
export type { ChannelNumbers, ChannelWindows } from "./describe/channel-tracker.ts";
export {
  createPacketDecoder,
  type DescribedField,
  type DescribedValue,
  type PacketDecoder,
  type PacketDescription,
} from "./describe/packet-decoder.ts";
export type { SpecificationSection } from "./describe/sources.ts";
export * from "./error.ts";
export * from "./messages/auth.ts";
export * from "./messages/connection.ts";
export * from "./messages/requests.ts";
export * from "./messages/session.ts";
export * from "./messages/transport.ts";
export * from "./reader.ts";
export * from "./server-limits.ts";
export * from "./writer.ts";
