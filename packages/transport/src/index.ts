/** The SSH transport layer (RFC 4253) as a state machine without I/O. @module */
export { deriveKeys, type ExchangeInputs, exchangeHash } from "./exchange-hash.ts";
export type { HostIdentity, KexOptions } from "./kex-machine.ts";
export { type AlgorithmNames, algorithmNames, type Preferred } from "./negotiate.ts";
export type { RekeyLimits } from "./rekey-schedule.ts";
export type { PacketTap, TappedIdentification, TappedKeys, TappedPacket } from "./tap.ts";
export type { TransportEvent } from "./transport-events.ts";
export { TransportMachine, type TransportOptions } from "./transport-machine.ts";
export { identification, type Role } from "./version-exchange.ts";
