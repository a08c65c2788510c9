/** The public interface of an SSH connection and its channels. @module */
import type { ChannelLimits } from "@postern/connection";
import type { AlgorithmNames, Preferred } from "@postern/transport";
import type { ArrayBufferBytes, Bytes, SshError } from "@postern/wire";
import type { Address } from "./address.ts";
import type { BytePipe } from "./byte-pipe.ts";

/** A full-duplex SSH channel (RFC 4254 section 5). Use it either as streams or as a byte pipe, not both. */
export interface Channel extends BytePipe {
  /** the channel type, such as `forwarded-tcpip` */
  readonly type: string;
  /** our channel number */
  readonly id: number;
  /** Resolves when the channel is closed. Rejects if the connection breaks first. */
  readonly closed: Promise<void>;
  readonly readable: ReadableStream<ArrayBufferBytes>;
  readonly writable: WritableStream<Bytes>;
  /**
   * Resolves with the first `size` bytes without consuming them, or with fewer if the peer ends its data first. Call it
   * before `start` and with a size below the window.
   */
  peek(size: number): Promise<ArrayBufferBytes>;
  readonly counters: ChannelCounters;
  /**
   * Sends a channel request and resolves with the peer's answer (RFC 4254 section 5.4). Rejects with `signal.reason` if
   * aborted.
   */
  request(type: string, specificData: Bytes, options?: CallOptions): Promise<boolean>;
  /** Sends a channel request without asking for a reply. Does nothing if the channel is closed. */
  notify(type: string, specificData: Bytes): void;
}

/** Counters of one channel. */
export interface ChannelCounters {
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** how often a write had to wait for the peer's window or for our output */
  readonly stalls: number;
}

/** The peer wants to open a channel (RFC 4254 section 5.1). Answer once, now or later. */
export interface IncomingOpen {
  readonly type: string;
  readonly id: number;
  /** the type-specific part (view) */
  readonly specificData: Bytes;
  /** Opens the channel. @throws SshError `closed` if the connection has ended meanwhile */
  accept(options?: AcceptOptions): Channel;
  /** @param reason of RFC 4254 section 5.1, see `OpenFailureReason` */
  refuse(reason: number, description: string): void;
}

/** Options of a new channel, in either direction. A `window` that is set here never grows or shrinks. */
export interface ChannelOptions extends Partial<ChannelLimits> {
  /** Called when both sides have sent CLOSE (RFC 4254 section 5.3) or the connection has ended. */
  readonly onReleased?: (() => void) | undefined;
}

/** Options of a channel that is accepted. */
export interface AcceptOptions extends ChannelOptions {
  /** The peer sent a request on the channel. Default: it is answered with failure (RFC 4254 section 5.4). */
  readonly onRequest?: ((request: IncomingChannelRequest) => void) | undefined;
  /**
   * Called when the channel is closed, cleanly or not. Cheaper than the promise `closed` for programs with many
   * channels.
   */
  readonly onClosed?: ((channel: Channel) => void) | undefined;
}

/** The peer sent a channel request (RFC 4254 section 5.4). Answer once, now or later. */
export interface IncomingChannelRequest {
  readonly type: string;
  readonly specificData: Bytes;
  readonly wantReply: boolean;
  accept(): void;
  refuse(): void;
}

/**
 * The peer sent a global request (RFC 4254 section 4). Answer once, now or later; replies are sent in the order of the
 * requests.
 */
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
  /**
   * Set if the peer answered UNIMPLEMENTED, so it does not know the request (RFC 4253 section 11.4). `ok` is `false`
   * then.
   */
  readonly unimplemented?: true | undefined;
}

/** Facts about the peer. */
export interface PeerInfo {
  /** its identification line */
  readonly version: string;
  /** lines that a server sent before its identification */
  readonly lines: readonly string[];
  /** the algorithms of the last key exchange; empty names before the first */
  readonly algorithms: AlgorithmNames;
  /**
   * The signature algorithms that it accepts from users, if it has announced them (`server-sig-algs`, RFC 8308 section
   * 3.1). Only servers do.
   */
  readonly serverSigAlgs: readonly string[] | undefined;
  readonly sessionId: Bytes;
  /** its first choices. A later connection can pass them as `guess`. */
  readonly preferred: Preferred | undefined;
}

/** Counters of one connection. */
export interface ConnectionStats {
  /** bytes on the wire, including all overhead */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly rekeys: number;
  /** round trip of the last keepalive that was answered, in milliseconds */
  readonly roundTripMs: number | undefined;
  readonly channels: number;
}

/** Options of one call. */
export interface CallOptions {
  /** Aborts the call, which then rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@link SshConnection.openTcp}. */
export interface OpenTcpOptions extends CallOptions, ChannelOptions {
  /** the client on whose behalf the peer connects; default 127.0.0.1, port 0 */
  readonly origin?: Address | undefined;
}

/** Options of a global request. */
export interface RequestOptions extends CallOptions {
  /** Called with the reply while its message is handled, before any later message is read. */
  readonly onReply?: (reply: GlobalReply) => void;
}

/** An open SSH connection, in either role. */
export interface SshConnection {
  readonly peer: PeerInfo;
  /** the user that has logged in, or is logging in */
  readonly user: string;
  /** Whether login is complete. Only `ClientOptions.onLogin` sees a connection before that. */
  readonly loggedIn: boolean;
  /** Resolves after `close`. Rejects with an SshError if the connection ends in any other way. */
  readonly closed: Promise<void>;
  readonly channelCount: number;
  /** Opens a channel. @throws SshError `refused` with the peer's reason; `misuse` before login is complete */
  openChannel(type: string, specificData: Bytes, options?: CallOptions & ChannelOptions): Promise<Channel>;
  /**
   * Asks the server to connect to a TCP address (`direct-tcpip`, RFC 4254 section 7.2). The server resolves a name. The
   * channel is a byte pipe, so it may carry another SSH connection: `connect(await connection.openTcp(…), …)`.
   *
   * @throws SshError `refused` with the server's reason: ADMINISTRATIVELY_PROHIBITED (1) if its policy forbids it,
   * CONNECT_FAILED (2) if the address could not be reached; `misuse` before login is complete
   */
  openTcp(target: Address, options?: OpenTcpOptions): Promise<Channel>;
  /**
   * Asks the server to connect to a UNIX socket of its machine (`direct-streamlocal@openssh.com`, OpenSSH PROTOCOL
   * section 2.4). Otherwise it works as {@link openTcp}.
   *
   * @throws SshError as `openTcp` does; `refused` with UNKNOWN_CHANNEL_TYPE (3) if the server does not support it
   */
  openUnix(path: string, options?: CallOptions & ChannelOptions): Promise<Channel>;
  /** Sends a global request and resolves with the reply. */
  request(name: string, specificData: Bytes, options?: RequestOptions): Promise<GlobalReply>;
  /**
   * Sends a global request without asking for a reply. Does nothing before login is complete or after the connection
   * has ended.
   */
  notify(name: string, specificData: Bytes): void;
  /**
   * Sends a message for the peer's log, in SSH_MSG_DEBUG (RFC 4253 section 11.3). Does nothing after the connection has
   * ended.
   */
  debug(message: string): void;
  stats(): ConnectionStats;
  /** Starts a key exchange (RFC 4253 section 9). Data is held until it is complete. */
  rekey(): void;
  /** Sends DISCONNECT; resolves when the peer has closed its side. An aborted signal drops the connection at once. */
  close(options?: CallOptions): Promise<void>;
  /** Undoes `unref`. */
  ref(): void;
  /** The connection no longer keeps the process alive, if its pipe supports that. */
  unref(): void;
  /** Ends the connection with an error. Pending calls reject with it. */
  abort(error: SshError): void;
}
