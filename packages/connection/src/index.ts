/** The connection layer as a machine. @module */
export type { ChannelLimits, ConnectionEvent } from "./connection-events.ts";
export { ConnectionMachine, type ConnectionOptions } from "./connection-machine.ts";
export type { ReplySlot } from "./replies.ts";
