/** An SSH connection over any byte pipe. @module */
export type { Address } from "./address.ts";
export type { BytePipe, PipeSink } from "./byte-pipe.ts";
export type { Channel, ChannelCounters } from "./channel.ts";
export { connect } from "./client.ts";
export type { KeepAliveOptions } from "./keepalive.ts";
export { onAbort } from "./on-abort.ts";
export {
  type AttemptContext,
  type ClientOptions,
  type ConnectionOptions,
  checkAlgorithms,
  checkAuth,
  checkHostKeys,
  checkKeepAlive,
  checkOptions,
  type LoginAttempt,
  rekeyLimits,
  type ServerOptions,
  type VerifiedHostKey,
} from "./options.ts";
export { pump } from "./pump.ts";
export { serve } from "./server.ts";
export { type ServerLoginOptions, serverLogin } from "./server-login.ts";
export { type ServerLogin, type SessionEvent, SessionMachine, type SessionOptions } from "./session-machine.ts";
export { type Settleable, settleable } from "./settleable.ts";
export type {
  AcceptOptions,
  CallOptions,
  ChannelOptions,
  ConnectionStats,
  GlobalReply,
  IncomingChannelRequest,
  IncomingOpen,
  IncomingRequest,
  PeerInfo,
  RequestOptions,
  SshConnection,
} from "./ssh-connection.ts";
export { type ByteStreams, pipeFromStreams, streamsFromPipe } from "./streams.ts";
export { type TypedEventListener, TypedEventTarget, type TypedListenerOptions } from "./typed-event-target.ts";
export { version } from "./version.ts";
