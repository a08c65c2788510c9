/** Floor 4: the end of a reverse tunnel that dials out. @module */
export { privateKey, privateKeyMethod } from "./auth-methods.ts";
export { MessageEvent, StateEvent, type TunnelEvents, type TunnelState, VisitorErrorEvent } from "./events.ts";
export type { ForwardedChannel, Forwarding } from "./forwarding.ts";
export { fingerprint, type HostKeyCheck, type HostKeyOffer } from "./host-key.ts";
export type { ChannelOpenRequest, ForwardingOptions, TunnelOptions } from "./options.ts";
export type { Platform, Target } from "./platform.ts";
export { pump } from "./pump.ts";
export { ReverseTunnel } from "./reverse-tunnel.ts";
