/** Postern on Node.js. @module */
import { ReverseTunnel as PortableTunnel, type TunnelOptions } from "@postern/tunnel";
import { modernAlgorithms } from "./algorithm-sets.ts";
import { sha256 } from "./algorithms.ts";
import { dialWithCallbacks } from "./dial.ts";
import { free } from "./free.ts";
import { prepareAlgorithms } from "./prepare.ts";
import { nodeRandom } from "./random.ts";

/**
 * A reverse tunnel through an SSH server: connects over TCP, logs in, requests ports on the server, and serves the
 * connections that arrive there.
 *
 * @example
 * const tunnel = new ReverseTunnel({
 *   host: "ssh.example.com",
 *   user: "test",
 *   auth: [password("secret")],
 *   hostKey: fingerprint("SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDYzMtFDqMRQH+xi8E"),
 * });
 * await tunnel.connect();
 * const web = await tunnel.forward({ port: 7777, target: { host: "127.0.0.1", port: 80 } });
 */
export class ReverseTunnel extends PortableTunnel {
  /** @throws SshError `misuse` for options that are unknown, missing or out of range */
  constructor(options: TunnelOptions) {
    super(options, {
      dial: dialWithCallbacks,
      prepare: prepareAlgorithms,
      algorithms: modernAlgorithms,
      random: nodeRandom,
      sha256,
      free,
    });
  }
}

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
export type {
  Algorithms,
  Cipher,
  DirectionKeys,
  Hash,
  KexMethod,
  Mac,
  PacketOpener,
  PacketSealer,
  PublicKeyAlgorithm,
  Random,
  Signer,
  Verdict,
} from "@postern/crypto";
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
  type KeyUse,
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
export {
  type Certificate,
  type CertificateConditions,
  type CertificateSigner,
  type CertificateSignerOptions,
  checkCertificate,
  createCertificateSigner,
  type GenerateOptions,
  type GeneratePrivateKey,
  type Passphrase,
  type PlainGenerateOptions,
  parseCertificate,
  type ReadPrivateKeyOptions,
} from "@postern/keys";
export type {
  Address,
  AttemptContext,
  BytePipe,
  CallOptions,
  Channel,
  ChannelCounters,
  Free,
  KeepAliveOptions,
  LoginAttempt,
  PipeMemory,
  PipeSink,
  SinkMemory,
  StartOptions,
  TypedEventListener,
  TypedEventTarget,
  TypedListenerOptions,
} from "@postern/ssh";
export {
  type BackoffOptions,
  type ChannelOpenRequest,
  type CloseOptions,
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
export { compatibleAlgorithms, modernAlgorithms } from "./algorithm-sets.ts";
export * as algorithms from "./algorithms.ts";
export { type Attachment, type AttachOptions, attach, type RequestHandler, type ServerLike } from "./attach.ts";
export { ChannelSocket } from "./channel-socket.ts";
export { hostAlgorithms, TunnelHost, type TunnelHostListenOptions } from "./host.ts";
export { generatePrivateKey, readPrivateKey, sha256Fingerprint } from "./keys.ts";
export { hashPassword, policy } from "./passwords.ts";
export { prepareAlgorithms } from "./prepare.ts";
export { type PrivateKeyFileOptions, privateKey, privateKeyFile } from "./private-key.ts";
export { nodeRandom } from "./random.ts";
export { socketPipe } from "./socket.ts";
