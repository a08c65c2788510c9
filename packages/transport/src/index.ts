/** The transport layer as a machine. @module */
export type { AlgorithmNames, KexOptions } from "./kex-step.ts";
export type { TransportEvent } from "./transport-events.ts";
export { type RekeyLimits, TransportMachine, type TransportOptions } from "./transport-machine.ts";
export { identification, type Role } from "./version-exchange.ts";
