/** The client of a reverse tunnel. @module */
export {
  createDeferredKey,
  createPrivateKeyMethod,
  type PrivateKeyMethod,
  type PrivateKeyOptions,
} from "./auth-methods.ts";
export {
  ForwardingEvent,
  NoticeEvent,
  ReconnectAttemptEvent,
  SelfCheckEvent,
  StateEvent,
  type TunnelEvents,
  type TunnelState,
  VisitorErrorEvent,
} from "./events.ts";
export type { ForwardedChannel, Forwarding, ForwardingState, ForwardingStats, Listener } from "./forwarding.ts";
export { fingerprint, type HostKeyCheck, type HostKeyOffer } from "./host-key.ts";
export type {
  ChannelOpenRequest,
  CloseOptions,
  Endpoint,
  ForwardOptions,
  ListenOptions,
  ReconnectChanges,
  ReconnectInfo,
  TunnelOptions,
} from "./options.ts";
export type { Dial, PendingDial, Platform, Target } from "./platform.ts";
export type { ProbeAnswer, ProbeResult } from "./probe.ts";
export type { BackoffOptions, ReconnectOptions } from "./reconnect.ts";
export { ReverseTunnel } from "./reverse-tunnel.ts";
export type { TimelineEntry, TunnelStats, WireStats } from "./stats.ts";
