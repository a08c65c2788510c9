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
  LocalErrorEvent,
  NoticeEvent,
  ReconnectAttemptEvent,
  SelfCheckEvent,
  StateEvent,
  type TunnelEvents,
  type TunnelState,
  VisitorErrorEvent,
} from "./events.ts";
export type { ForwardedChannel, Forwarding, ForwardingState, Listener } from "./forwarding.ts";
export type { ForwardingStats } from "./forwarding-stats.ts";
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
  type KnownHostsPolicy,
  type KnownHostsPrimitives,
  type KnownHostsSource,
  type KnownHostsStore,
  type KnownHostsText,
  portableBackend,
  type RemovedLine,
  type UnknownHostKey,
} from "./known-hosts-options.ts";
export { createLocalForwarder } from "./local-forwarding.ts";
export type {
  ForwardLocalOptions,
  LocalContext,
  LocalForwarder,
  LocalForwarding,
  LocalListen,
  LocalListener,
  LocalListenOptions,
  LocalSocksOptions,
} from "./local-options.ts";
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
export { packetLog } from "./packet-log.ts";
export type { Platform } from "./platform.ts";
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
export {
  createSpecialTargets,
  type SpecialTargets,
  type VisitorSocksContext,
  type VisitorSocksOptions,
} from "./special-targets.ts";
export type { TimelineEntry, TunnelStats, WireStats } from "./stats.ts";
export type { Dial, PendingDial, Target, TcpTarget } from "./target.ts";
export { logTunnel } from "./tunnel-log.ts";
export { type MeteredTunnel, tunnelMetrics, tunnelsMetrics } from "./tunnel-metrics.ts";
export { visitorFeatures } from "./visitor-features.ts";
export type {
  ForwardingLimits,
  Limiter,
  ProxyProtocolVersion,
  VisitorFeatures,
  VisitorRequirements,
} from "./visitor-limits.ts";
