/** Postern in every JavaScript runtime, over any byte pipe. @module */
/// <reference lib="esnext.disposable" preserve="true" />
export {
  type Algorithms,
  type Cipher,
  type DirectionKeys,
  type Hash,
  type KexMethod,
  type Mac,
  type PacketOpener,
  type PacketSealer,
  type PublicKeyAlgorithm,
  type Random,
  type Signer,
  type Verdict,
  webRandom,
} from "@postern/crypto";
export { compatibleAlgorithms, modernAlgorithms } from "@postern/noble";

// Algorithms come first, because bundles compress best in this order.

export {
  type AuthAttempt,
  type AuthContext,
  type AuthDialog,
  type AuthMethod,
  type InteractiveRequest,
  keyboardInteractive,
  type MaybePromise,
  type PasswordOptions,
  password,
} from "@postern/auth";
export {
  type Authorize,
  type AuthorizedKeys,
  authorizedKeys,
  type CloseOptions as HostCloseOptions,
  type GatewayPorts,
  type GivenHostLimits,
  type HashCost,
  type HashPassword,
  type HostClient,
  HostClientEvent,
  type HostDecision,
  type HostEvents,
  type HostForwarding,
  HostForwardingEvent,
  type HostLimits,
  type HostLoginAttempt,
  type HostPlatform,
  type KeyUse,
  type Listening,
  LoginEvent,
  type PartialDecision,
  type PenaltyLimits,
  type Permissions,
  type Permit,
  RefusalEvent,
  type RefusedLine,
  type ServeClientOptions,
  type TunnelHostOptions,
  type UserPolicy,
} from "@postern/host";
export {
  HandlerErrorEvent,
  type HttpHandler,
  HttpService,
  type HttpServiceEvents,
  type ServeOptions,
  serve,
  type VisitorChannel,
  type VisitorInfo,
  type VisitorSource,
} from "@postern/http";
export type {
  GenerateOptions,
  GeneratePrivateKey,
  Passphrase,
  PlainGenerateOptions,
  ReadPrivateKeyOptions,
} from "@postern/keys";
export { generatePrivateKey, readPrivateKey, sha256Fingerprint } from "@postern/noble";
export {
  type Address,
  type AttemptContext,
  type BytePipe,
  type ByteStreams,
  type CallOptions,
  type Channel,
  type ChannelCounters,
  type Free,
  type KeepAliveOptions,
  type LoginAttempt,
  type PipeMemory,
  type PipeSink,
  pipeFromStreams,
  type SinkMemory,
  type StartOptions,
  streamsFromPipe,
  type TypedEventListener,
  type TypedEventTarget,
  type TypedListenerOptions,
} from "@postern/ssh";
export {
  type BackoffOptions,
  type ChannelOpenRequest,
  type CloseOptions,
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
  type PrivateKeyMethod,
  type PrivateKeyOptions,
  type ProbeAnswer,
  type ProbeResult,
  ReconnectAttemptEvent,
  type ReconnectChanges,
  type ReconnectInfo,
  type ReconnectOptions,
  SelfCheckEvent,
  StateEvent,
  type Target,
  type TimelineEntry,
  type TunnelEvents,
  type TunnelOptions,
  type TunnelState,
  type TunnelStats,
  VisitorErrorEvent,
  type WireStats,
} from "@postern/tunnel";
export {
  type ArrayBufferBytes,
  type Bytes,
  type Prompt,
  SshError,
  type SshErrorCode,
  type SshErrorOptions,
} from "@postern/wire";
export type { DialPipe } from "./dial.ts";
export { hashPassword, policy, TunnelHost, type WebTunnelHostOptions } from "./host.ts";
export { privateKey } from "./private-key.ts";
export { ReverseTunnel, type WebTunnelOptions } from "./reverse-tunnel.ts";
export { webSshEd25519 } from "./ssh-ed25519.ts";
export { type WebSocketPipeOptions, webSocketPipe } from "./websocket.ts";
export { type WorkerdConnect, type WorkerdSocket, workerdSocket } from "./workerd.ts";
