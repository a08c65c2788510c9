/** An SSH connection as programs see it: channels, requests, and its end. @module */
import type { ChannelLimits } from "@postern/connection";
import type { AlgorithmNames } from "@postern/transport";
import type { Bytes, SshError } from "@postern/wire";
import type { Channel } from "./channel.ts";

/** The peer wants to open a channel (RFC 4254 section 5.1). Answer once, now or later. */
export interface IncomingOpen {
  readonly type: string;
  readonly id: number;
  /** the type-specific part (view) */
  readonly specificData: Bytes;
  /** Opens the channel. Throws SshError `closed` when the connection has ended meanwhile. */
  accept(options?: AcceptOptions): Channel;
  /** @param reason of RFC 4254 section 5.1, see `OpenFailureReason` */
  refuse(reason: number, description: string): void;
}

/** What a channel is opened with, in either direction. A `window` given here never grows or shrinks. */
export interface ChannelOptions extends Partial<ChannelLimits> {
  /** Called when nothing is left of the channel: both sides have sent CLOSE (RFC 4254 section 5.3), or the connection has ended. */
  readonly onReleased?: (() => void) | undefined;
}

/** What an accepted channel may be told. */
export interface AcceptOptions extends ChannelOptions {
  /** The peer sends a request on the channel; without a handler it is answered with failure (RFC 4254 section 5.4). */
  readonly onRequest?: ((request: IncomingChannelRequest) => void) | undefined;
  /** The channel is gone, well or not: what `closed` tells, for who keeps many channels and needs no promise for each. */
  readonly onGone?: ((channel: Channel) => void) | undefined;
}

/** The peer sent a channel request (RFC 4254 section 5.4). Answer once, now or later. */
export interface IncomingChannelRequest {
  readonly type: string;
  readonly specificData: Bytes;
  readonly wantReply: boolean;
  accept(): void;
  refuse(): void;
}

/** The peer sent a global request (RFC 4254 section 4). Answer once, now or later; replies leave in the right order. */
export interface IncomingRequest {
  readonly name: string;
  readonly specificData: Bytes;
  readonly wantReply: boolean;
  accept(specificData?: Bytes): void;
  refuse(): void;
}

/** The peer's answer to a global request. */
export interface GlobalReply {
  readonly ok: boolean;
  readonly specificData: Bytes;
  /** Set if the peer answered with UNIMPLEMENTED, so it does not know the request (RFC 4253 section 11.4); `ok` is false then. */
  readonly unimplemented?: true | undefined;
}

/** What became known of the peer. */
export interface PeerInfo {
  /** its identification line */
  readonly version: string;
  /** what a server said before its identification */
  readonly lines: readonly string[];
  readonly algorithms: AlgorithmNames;
  readonly sessionId: Bytes;
}

/** What went over a connection so far. */
export interface ConnectionStats {
  /** bytes on the wire, everything included */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly rekeys: number;
  /** of the last keepalive that was answered, in milliseconds */
  readonly roundTripMs: number | undefined;
  readonly channels: number;
}

/** Options of one call. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Options of a global request. */
export interface RequestOptions extends CallOptions {
  /** Called with the reply inside the handler of the message, before any message behind it is looked at. */
  readonly onReply?: (reply: GlobalReply) => void;
}

/** An open SSH connection, in either role. */
export interface SshConnection {
  readonly peer: PeerInfo;
  /** the user that logged in, or is about to */
  readonly user: string;
  /** whether the login is over; a connection that is not logged in yet is seen by `ClientOptions.onLogin` alone */
  readonly loggedIn: boolean;
  /** Resolves after `close`; rejects with an SshError when the connection ended in any other way. */
  readonly closed: Promise<void>;
  readonly channelCount: number;
  /** Opens a channel. @throws SshError `refused` with the peer's reason; `misuse` before the end of the login */
  openChannel(type: string, specificData: Bytes, options?: CallOptions & ChannelOptions): Promise<Channel>;
  /** Sends a global request and gives the reply. */
  request(name: string, specificData: Bytes, options?: RequestOptions): Promise<GlobalReply>;
  /** Sends a global request that wants no reply. Does nothing when the connection has ended, nor does `debug`; nor before the end of the login. */
  notify(name: string, specificData: Bytes): void;
  /** Explains something to whoever reads the peer's log, in SSH_MSG_DEBUG (RFC 4253 section 11.3). */
  debug(message: string): void;
  stats(): ConnectionStats;
  /** Exchanges keys anew (RFC 4253 section 9); data goes on when it is done. */
  rekey(): void;
  /** Ends the connection with DISCONNECT; resolves when the peer has closed its side. A signal drops the connection at once. */
  close(options?: CallOptions): Promise<void>;
  /** Ends the connection because of an error; everything that waits rejects with it. */
  abort(error: SshError): void;
}
