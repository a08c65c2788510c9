/** The client of a reverse tunnel. @module */
export {
  createDeferredKey,
  createPrivateKeyMethod,
  type PrivateKeyMethod,
  type PrivateKeyOptions,
} from "./auth-methods.ts";
export { checkDial, createDial, type DialPipe } from "./dial.ts";
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
export {
  fingerprint,
  type HostKeyAnnouncement,
  type HostKeyCheck,
  type HostKeyEndpoint,
  type HostKeyOffer,
  type HostKeyVerifier,
  hostKeyOption,
} from "./host-key.ts";
export {
  type HostedService,
  hostedService,
  type ServiceProfile,
} from "./hosted-session.ts";
export { createKnownHosts } from "./known-hosts.ts";
export {
  type HostKeyUpdate,
  type KnownHostsBackend,
  type KnownHostsOptions,
  type KnownHostsPrimitives,
  type KnownHostsSource,
  type KnownHostsStore,
  type KnownHostsText,
  portableBackend,
  type RemovedLine,
  type UnknownHostKey,
} from "./known-hosts-options.ts";
export type {
  ChannelOpenRequest,
  CloseOptions,
  Endpoint,
  ForwardOptions,
  JumpHost,
  ListenOptions,
  ReconnectChanges,
  ReconnectInfo,
  TunnelOptions,
} from "./options.ts";
export type { Dial, PendingDial, Platform, Target } from "./platform.ts";
export type { ProbeAnswer, ProbeResult } from "./probe.ts";
export type { BackoffOptions, ReconnectOptions } from "./reconnect.ts";
export { ReverseTunnel } from "./reverse-tunnel.ts";
export {
  type FrpOptions,
  frp,
  localhostRun,
  type NgrokOptions,
  ngrok,
  type OpenServicePreset,
  type PinggyOptions,
  pinggy,
  type ServicePreset,
  type SishOptions,
  serveo,
  sish,
  srvUs,
} from "./services.ts";
export type { TimelineEntry, TunnelStats, WireStats } from "./stats.ts";
