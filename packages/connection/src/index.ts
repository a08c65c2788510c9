/** The SSH connection layer (RFC 4254) as a state machine without I/O. @module */
export type { ChannelLimits, ConnectionEvent } from "./connection-events.ts";
export { ConnectionMachine, type ConnectionOptions } from "./connection-machine.ts";
export type { ReplySlot } from "./replies.ts";
