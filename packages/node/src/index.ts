/** Postern on Node.js. @module */
import type { ConnectionOptions } from "node:tls";
import type { Address, Log } from "@postern/ssh";
import {
  checkDial,
  createDial,
  type DialPipe,
  type Endpoint,
  type Forwarding,
  type ForwardOptions,
  type HostKeyCheck,
  hostedService,
  logTunnel,
  ReverseTunnel as PortableTunnel,
  type TunnelOptions,
  tunnelMetrics,
  visitorFeatures,
} from "@postern/tunnel";
import { expectType } from "@postern/wire";
import { modernAlgorithms } from "./algorithm-sets.ts";
import { sha256 } from "./algorithms.ts";
import { dialWithCallbacks } from "./dial.ts";
import { free } from "./free.ts";
import { knownHosts } from "./known-hosts.ts";
import { localForwarder } from "./local-listener.ts";
import { prepareAlgorithms } from "./prepare.ts";
import { nodeRandom } from "./random.ts";
import { logToStderr, withPacketLog } from "./tunnel-logging.ts";
import { dialTarget, specialTargets } from "./unix-socket.ts";

/** The address to which a forwarding on Node.js connects its visitors. */
export type NodeTarget =
  | { readonly path: string }
  | (Address & {
      /**
       * TLS with the target: `true`, or options of `tls.connect`. By default its certificate must be valid for `host`.
       * Default: no TLS.
       */
      readonly tls?: true | ConnectionOptions | undefined;
    });

/** Options of `ReverseTunnel.forward` on Node.js. */
export interface NodeForwardOptions extends ForwardOptions {
  /** the address to which each visitor is connected; see {@link ForwardOptions.target} */
  readonly target: NodeTarget | "socks";
}

/** Options of a ReverseTunnel on Node.js. */
export interface NodeTunnelOptions extends Omit<TunnelOptions, "hostKey"> {
  /**
   * Decides whether to trust the server's host key; see `fingerprint` and `knownHosts`. Default: `knownHosts()`, which
   * trusts only keys that the user has accepted before.
   */
  readonly hostKey?: HostKeyCheck;
  /**
   * Receives a record of each event: level, name, message and fields, never a secret. See {@link Log}. Default: nothing
   * is logged.
   */
  readonly log?: Log;
  /**
   * Logs each packet by name, size and fields, without passwords and data, as `ssh -vvv` does. To `log` with level
   * `debug`, or to stderr if there is none. Default: false.
   */
  readonly debug?: boolean;
  /**
   * Connects to the server, or to the proxy or the first jump host if there is one. Called for each connection, also
   * when reconnecting. `host` and `port` identify the server whose key is checked; the pipe may lead there by any way,
   * such as `commandPipe` or `webSocketPipe`. The signal fires when the pipe is no longer needed. Default: TCP.
   */
  readonly dial?: DialPipe<Endpoint>;
}

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
  constructor(options: NodeTunnelOptions) {
    const { dial, hostKey = knownHosts(), log, debug = false, ...rest } = options ?? {};
    checkDial("dial", dial);
    if (log !== undefined) expectType("log", log, "function");
    expectType("debug", debug, "boolean");
    super(
      { ...rest, hostKey, ...(debug && { tap: withPacketLog(log ?? logToStderr, rest.tap) }) },
      {
        dial: dial === undefined ? dialWithCallbacks : createDial("host", dial),
        dialTarget,
        specialTargets,
        local: localForwarder,
        dialsTls: true,
        visitorFeatures,
        prepare: prepareAlgorithms,
        algorithms: modernAlgorithms,
        random: nodeRandom,
        sha256,
        service: hostedService(),
        free,
      },
    );
    if (log !== undefined) logTunnel(this, log);
  }

  /** The same as on every platform; the target may also speak TLS. */
  override forward(options: NodeForwardOptions, ...ignored: []): Promise<Forwarding> {
    return super.forward(options, ...ignored);
  }

  /** Returns the figures of `stats()` as OpenMetrics 1.0 text, for Prometheus and others. */
  metrics(): string {
    return tunnelMetrics(this);
  }
}

export {
  type AuthAttempt,
  type AuthContext,
  type AuthDialog,
  type AuthEntry,
  type AuthMethod,
  type AuthStep,
  type InteractiveRequest,
  keyboardInteractive,
  type MaybePromise,
  none,
  type PasswordOptions,
  password,
} from "@postern/auth";
export type {
  Algorithms,
  Cipher,
  DirectionKeys,
  GroupExchange,
  Hash,
  KexMethod,
  Mac,
  PacketOpener,
  PacketSealer,
  PublicKeyAlgorithm,
  Random,
  SecurityKeyUse,
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
  type HealthRequest,
  type HealthSource,
  type HostClient,
  HostClientEvent,
  type HostDecision,
  type HostEvents,
  type HostForwarding,
  HostForwardingEvent,
  type HostLimits,
  type HostLogin,
  type HostLoginAttempt,
  HostVisitorEvent,
  healthHandler,
  type KeyUse,
  type LimitName,
  type LoginCertificate,
  LoginEvent,
  type PartialDecision,
  type PenaltyLimits,
  type Permissions,
  type Permit,
  RefusalEvent,
  type RefusedLine,
  type ReloadOptions,
  type Revocation,
  type ServeClientOptions,
  TakeoverEvent,
  type TakeoverPlace,
  type TakeoverPolicy,
  type TunnelHostOptions,
  type UserPolicy,
} from "@postern/host";
export {
  allowAddresses,
  basicAuth,
  bearerAuth,
  forwardedHeaders,
  HandlerErrorEvent,
  type HttpHandler,
  HttpService,
  type HttpServiceEvents,
  isUpgrade,
  type Middleware,
  rewriteHost,
  type ServeOptions,
  serve,
  type TakeChannel,
  upgrade,
  type VerifyPassword,
  type VerifyToken,
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
  encodeEcdsaPair,
  encodePublicKey,
  encodeSignature,
  formatPublicKey,
  type GenerateOptions,
  type GeneratePrivateKey,
  type Passphrase,
  type PlainGenerateOptions,
  type PublicKeyLine,
  parseCertificate,
  parsePublicKey,
  type ReadPrivateKeyOptions,
} from "@postern/keys";
export {
  type Address,
  type AlgorithmNames,
  type AttemptContext,
  type BytePipe,
  type ByteStreams,
  type CallOptions,
  type Channel,
  type ChannelCounters,
  type Free,
  type KeepAliveOptions,
  type Log,
  type LogFields,
  type LoginAttempt,
  type LogLevel,
  type LogRecord,
  openMetricsType,
  type PacketTap,
  type PeerInfo,
  type PipeMemory,
  type PipeSink,
  type Preferred,
  type ProxyOptions,
  type ProxyServer,
  type PtyOptions,
  pipeFromStreams,
  type SessionProgram,
  type SinkMemory,
  type Socks5Options,
  type StartOptions,
  socks5,
  streamsFromPipe,
  type TappedIdentification,
  type TappedKeys,
  type TappedPacket,
  type TerminalMode,
  type TerminalSize,
  type TypedEventListener,
  type TypedEventTarget,
  type TypedListenerOptions,
  terminalModes,
} from "@postern/ssh";
export {
  type BackoffOptions,
  type ChannelOpenRequest,
  type CloseOptions,
  type DialPipe,
  type Endpoint,
  type ForwardedChannel,
  type Forwarding,
  ForwardingEvent,
  type ForwardingLimits,
  type ForwardingState,
  type ForwardingStats,
  type ForwardLocalOptions,
  type ForwardOptions,
  type FrpOptions,
  fingerprint,
  frp,
  type HostedService,
  type HostKeyAnnouncement,
  type HostKeyCheck,
  type HostKeyEndpoint,
  type HostKeyOffer,
  type HostKeyUpdate,
  type HostKeyVerifier,
  hostedService,
  type JumpHost,
  type KnownHostsOptions,
  type KnownHostsSource,
  type KnownHostsStore,
  type Listener,
  type ListenOptions,
  LocalErrorEvent,
  type LocalForwarding,
  type LocalListenOptions,
  type LocalSocksOptions,
  localhostRun,
  type NgrokOptions,
  NoticeEvent,
  ngrok,
  type OpenServicePreset,
  type PinggyOptions,
  type PrivateKeyMethod,
  type PrivateKeyOptions,
  type ProbeAnswer,
  type ProbeResult,
  type ProxyProtocolVersion,
  packetLog,
  pinggy,
  ReconnectAttemptEvent,
  type ReconnectChanges,
  type ReconnectInfo,
  type ReconnectOptions,
  SelfCheckEvent,
  type ServicePreset,
  type ServiceProfile,
  type SishOptions,
  StateEvent,
  serveo,
  sish,
  srvUs,
  type Target,
  type TcpTarget,
  type TimelineEntry,
  type TunnelEvents,
  type TunnelOptions,
  type TunnelState,
  type TunnelStats,
  type UnknownHostKey,
  VisitorErrorEvent,
  type WireStats,
} from "@postern/tunnel";
export {
  type ArrayBufferBytes,
  type Bytes,
  type ChannelNumbers,
  type ChannelWindows,
  createPacketDecoder,
  type DescribedField,
  type DescribedValue,
  type Direction,
  type PacketDecoder,
  type PacketDescription,
  type Prompt,
  type SpecificationSection,
  SshError,
  type SshErrorCode,
  type SshErrorOptions,
} from "@postern/wire";
export { type AgentOptions, agent } from "./agent.ts";
export { compatibleAlgorithms, modernAlgorithms } from "./algorithm-sets.ts";
export * as algorithms from "./algorithms.ts";
export { type Attachment, type AttachOptions, attach, type RequestHandler, type ServerLike } from "./attach.ts";
export { ChannelSocket } from "./channel-socket.ts";
export { type CommandPipeOptions, commandPipe } from "./command.ts";
export { hostAlgorithms, TunnelHost, type TunnelHostListenOptions } from "./host.ts";
export { generatePrivateKey, readPrivateKey, sha256Fingerprint } from "./keys.ts";
export { knownHosts, type NodeKnownHostsSource } from "./known-hosts.ts";
export { hashPassword, policy } from "./passwords.ts";
export { prepareAlgorithms } from "./prepare.ts";
export { type PrivateKeyFileOptions, privateKey, privateKeyFile } from "./private-key.ts";
export { type HttpConnectOptions, httpConnect } from "./proxy.ts";
export { nodeRandom } from "./random.ts";
export { socketPipe } from "./socket.ts";
export type { SshConfigAlgorithms } from "./ssh-config/algorithm-lists.ts";
export type { SshConfigPosition } from "./ssh-config/config-line.ts";
export type { SshConfigForward } from "./ssh-config/forward-options.ts";
export type { SshConfigForwardLine, SshConfigListen, SshConfigTarget } from "./ssh-config/forwards.ts";
export type {
  FromSshConfigOptions,
  SshConfigHop,
  SshConfigResult,
  SshConfigTunnelOptions,
} from "./ssh-config/from-ssh-config.ts";
export type { SshDestination } from "./ssh-config/jump-hosts.ts";
export type { SshConfigValues } from "./ssh-config/keywords.ts";
export type { SshConfigLogin, SshConfigSecrets } from "./ssh-config/login-methods.ts";
export type { SshConfigSetting } from "./ssh-config/reader.ts";
export type { ResolvedSshConfig, ResolveSshConfigOptions } from "./ssh-config/resolve.ts";
export type { SshConfigEnvironment } from "./ssh-config/system.ts";
export type { SshConfigTokens } from "./ssh-config/tokens.ts";
export type { SshConfigRekeyLimit } from "./ssh-config/values.ts";
export { fromSshConfig, resolveSshConfig } from "./ssh-config.ts";
