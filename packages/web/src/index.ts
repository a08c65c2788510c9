/** Postern wherever JavaScript runs, over any byte pipe. @module */
export { type Algorithms, type Signer, webRandom } from "@postern/crypto";
export { compatibleAlgorithms, modernAlgorithms } from "@postern/noble";

// Algorithms come first: in that order a bundle packs best.

export {
  type AuthContext,
  type AuthDialog,
  type AuthMethod,
  keyboardInteractive,
  type PasswordOptions,
  password,
} from "@postern/auth";
export {
  type Authorize,
  authorizedKeys,
  type HostClient,
  HostClientEvent,
  type HostEvents,
  type HostForwarding,
  HostForwardingEvent,
  LoginEvent,
  RefusalEvent,
  type UserPolicy,
} from "@postern/host";
export {
  HandlerErrorEvent,
  type HttpHandler,
  HttpService,
  type ServeOptions,
  serve,
  type VisitorInfo,
  type VisitorSource,
} from "@postern/http";
export { generatePrivateKey, readPrivateKey, sha256Fingerprint } from "@postern/noble";
export {
  type BytePipe,
  type ByteStreams,
  type Channel,
  type PipeSink,
  pipeFromStreams,
  streamsFromPipe,
} from "@postern/ssh";
export {
  type ChannelOpenRequest,
  type Endpoint,
  type ForwardedChannel,
  type Forwarding,
  ForwardingEvent,
  type ForwardingState,
  type ForwardingStats,
  type ForwardOptions,
  fingerprint,
  type HostKeyCheck,
  type HostKeyOffer,
  type Listener,
  type ListenOptions,
  NoticeEvent,
  type ProbeAnswer,
  type ProbeResult,
  ReconnectAttemptEvent,
  type ReconnectChanges,
  type ReconnectInfo,
  SelfCheckEvent,
  StateEvent,
  type Target,
  type TimelineEntry,
  type TunnelOptions,
  type TunnelState,
  type TunnelStats,
  VisitorErrorEvent,
} from "@postern/tunnel";
export { SshError, type SshErrorCode } from "@postern/wire";
export type { DialPipe } from "./dial.ts";
export { hashPassword, policy, TunnelHost, type WebTunnelHostOptions } from "./host.ts";
export { privateKey } from "./private-key.ts";
export { ReverseTunnel, type WebTunnelOptions } from "./reverse-tunnel.ts";
export { webSshEd25519 } from "./ssh-ed25519.ts";
export { type WebSocketPipeOptions, webSocketPipe } from "./websocket.ts";
export { type WorkerdConnect, type WorkerdSocket, workerdSocket } from "./workerd.ts";
