/** An SSH connection over any byte pipe. @module */
export type { ChannelLimits } from "@postern/connection";
export type {
  AlgorithmNames,
  PacketTap,
  Preferred,
  TappedIdentification,
  TappedKeys,
  TappedPacket,
} from "@postern/transport";
export { type Address, hostPort } from "./address.ts";
export type { BytePipe, PipeMemory, PipeSink, SinkMemory, StartOptions } from "./byte-pipe.ts";
export { connect } from "./client.ts";
export { abortable, type Deferred, deferred, onAbort, type Settler } from "./deferred.ts";
export { FrameReader } from "./frame-reader.ts";
export { parseIp } from "./ip.ts";
export type { KeepAliveOptions } from "./keepalive.ts";
export { createLogWriter, type Log, type LogFields, type LogLevel, type LogRecord, type WriteLog } from "./log.ts";
export { encodeOpenMetrics, type MetricFamily, type MetricSample, openMetricsType } from "./open-metrics.ts";
export {
  type AttemptContext,
  type ClientOptions,
  type ConnectionOptions,
  checkAlgorithms,
  checkAuth,
  checkHostKeys,
  checkKeepAlive,
  checkOptions,
  checkVersionAddendum,
  type HostKeyOption,
  type LoginAttempt,
  rekeyLimits,
  type ServerOptions,
  type VerifiedHostKey,
} from "./options.ts";
export { type PlainConnectionOptions, plainConnection } from "./plain-connection.ts";
export { type HttpConnectOptions, httpConnect } from "./proxy/http-connect.ts";
export { type ProxyAddress, type ProxyOptions, type ProxyServer, parseProxy } from "./proxy/proxy-server.ts";
export { acceptSocks, type SocksServerOptions } from "./proxy/socks-server.ts";
export { type Socks5Options, socks5 } from "./proxy/socks5.ts";
export { type Free, pump } from "./pump.ts";
export { setRef } from "./ref.ts";
export { relayChannel } from "./relay.ts";
export { accept, type ServerLoginOptions, serverLogin } from "./server.ts";
export { type OpenSessionOptions, openSession, type Session, type SessionExit } from "./session.ts";
export { type ServerLogin, type SessionEvent, SessionMachine, type SessionOptions } from "./session-machine.ts";
export {
  type PtyOptions,
  programOptions,
  type SessionProgram,
  type SessionRequest,
  sessionRequests,
  type TerminalSize,
} from "./session-requests.ts";
export type {
  AcceptOptions,
  CallOptions,
  Channel,
  ChannelCounters,
  ChannelOptions,
  ConnectionStats,
  ExtendedDataSink,
  GlobalReply,
  IncomingChannelRequest,
  IncomingOpen,
  IncomingRequest,
  OpenTcpOptions,
  PeerInfo,
  RequestOptions,
  SshConnection,
} from "./ssh-connection.ts";
export { type ByteStreams, pipeFromStreams, streamsFromPipe } from "./streams.ts";
export { type TerminalMode, terminalModes } from "./terminal-modes.ts";
export { type TypedEventListener, TypedEventTarget, type TypedListenerOptions } from "./typed-event-target.ts";
export { version } from "./version.ts";
