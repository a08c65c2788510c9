/**
 * Joins the transport, authentication and connection machines by message number.
 * Longer than 300 lines, because each method depends on the state of all three.
 * @module
 */
import {
  type AuthClientEvent,
  AuthClientMachine,
  type AuthEntry,
  type AuthServerEvent,
  type AuthServerMachine,
} from "@postern/auth";
import { type ConnectionEvent, ConnectionMachine } from "@postern/connection";
import { type RekeyLimits, type TransportEvent, TransportMachine, type TransportOptions } from "@postern/transport";
import {
  type Bytes,
  DisconnectReason,
  fromUtf8,
  messageRange,
  type PayloadSink,
  ServiceAccept,
  ServiceRequest,
  SshError,
  toSshError,
} from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { type ServerTraits, serverTraits } from "./server-traits.ts";

/** How a client logs in. */
export interface ClientLogin {
  readonly user: string;
  readonly methods: readonly AuthEntry[];
  readonly signal: AbortSignal | undefined;
}

/** Creates the server's side of the login, see `serverLogin`. Passed as a function, so bundles of clients omit it. */
export type ServerLogin = (sink: PayloadSink) => AuthServerMachine;

/** Options of a {@link SessionMachine}. */
export type SessionOptions = Omit<TransportOptions, "role"> &
  ({ readonly role: "client"; readonly login: ClientLogin } | { readonly role: "server"; readonly login: ServerLogin });

/** An event of a session. */
export type SessionEvent =
  | Exclude<TransportEvent, { readonly type: "payload" | "resumed" | "extInfo" }>
  | AuthClientEvent
  | AuthServerEvent
  | ConnectionEvent;

/** Until the login is complete, we begin no rekey, as in OpenSSH, whose server accepts none until then. */
const never: RekeyLimits = {
  bytes: Number.POSITIVE_INFINITY,
  packets: Number.POSITIVE_INFINITY,
  ms: Number.POSITIVE_INFINITY,
};

/** One SSH session without I/O, in either role. The driver and the roles use its transport only through it. */
export class SessionMachine {
  readonly connection: ConnectionMachine;
  /** One of these two is set, by role. */
  readonly authClient: AuthClientMachine | undefined;
  readonly authServer: AuthServerMachine | undefined;
  readonly #options: SessionOptions;
  readonly #transport: TransportMachine;
  #at: "kex" | "auth" | "open" = "kex";
  #bytesBeforeLogin = 0;
  /** traits of the server, on a client that has its identification line */
  #traits: ServerTraits | undefined;
  /** The server's NEWKEYS has come, so its messages are authenticated. */
  #authenticated = false;
  #failure: SshError | undefined;
  /** the server's `server-sig-algs` (RFC 8308 section 3.1), once it has come */
  serverSigAlgs: readonly string[] | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    const transport = new TransportMachine({ ...options, rekey: never });
    const sink: PayloadSink = {
      get writable() {
        return transport.writable && transport.outputSize < Limits.outputHighWater;
      },
      send: (head, body, onSent) => transport.send(head, body, onSent),
    };
    this.#transport = transport;
    this.connection = new ConnectionMachine({ sink, now: options.now });
    this.authClient =
      options.role === "client" ? new AuthClientMachine({ sink, methods: options.login.methods }) : undefined;
    this.authServer = options.role === "server" ? options.login(sink) : undefined;
  }

  /** `false` while a decision is pending or a limit is reached: stop reading. */
  get wantsInput(): boolean {
    return this.#wantsPayloads && this.#transport.wantsInput && this.#transport.outputSize < Limits.outputCeiling;
  }

  /**
   * Whether a DISCONNECT with this reason means that the server refused our login, so that another attempt would fail
   * too.
   */
  refusesLogin(reason: number): boolean {
    const { authClient } = this;
    // Before the server's NEWKEYS an attacker could forge it, and our request may already be sent.
    if (this.#at !== "auth" || !this.#authenticated || authClient === undefined) return false;
    // sshd answers the last attempt that MaxAuthTries allows, which may be the first, with DISCONNECT alone.
    return authClient.refusals > 0 || (authClient.awaitsAnswer && mayRefuse(reason));
  }

  /** Session identifier (RFC 4253 section 7.2). `undefined` before the first key exchange. */
  get sessionId(): Bytes | undefined {
    return this.#transport.sessionId;
  }

  /** When `tick` is due next. */
  get deadline(): number | undefined {
    const a = this.#transport.deadline;
    const b = this.connection.deadline;
    return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
  }

  /** Adds input (takes, or borrows until {@link keepInput}). */
  receive(chunk: Bytes): void {
    if (this.#at !== "open") this.#bytesBeforeLogin += chunk.length;
    this.#transport.receive(chunk);
  }

  /** Copies the unread rest of the last chunk, so that the chunk's memory may be reused. */
  keepInput(): void {
    this.#transport.keepInput();
  }

  /** The peer sends nothing more. Returns the error that this means. */
  inputEnded(): SshError {
    return this.#transport.inputEnded();
  }

  /** Sets the time. @throws SshError `timeout` if a key exchange takes too long */
  tick(now: number): void {
    this.#transport.tick(now);
    this.connection.tick(now);
  }

  /**
   * Returns the next event, or `undefined` if input or a decision is missing.
   * @throws SshError the same one in each later call
   */
  next(): SessionEvent | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return this.#next();
    } catch (error) {
      this.#failure = toSshError(error, "protocol", String(error));
      throw this.#failure;
    }
  }

  /** Returns all pending output and clears it. Channels that waited for room may write again. */
  takeOutput(): Bytes | undefined {
    return this.#transport.takeOutput();
  }

  /** Takes back a buffer that `takeOutput` returned, once it is sent. */
  reuseOutput(output: Bytes): void {
    this.#transport.reuseOutput(output);
  }

  /**
   * Answers the event `verify`.
   * @throws SshError `kex` for anything but `true`, `hostkey` if a rekey presents another host key
   */
  verified(good: boolean): void {
    this.#transport.verified(good);
  }

  /** Answers the event `hostKey`: the key is trusted. */
  acceptHostKey(): void {
    this.#transport.acceptHostKey();
  }

  /** Answers the event `sign`. */
  signed(signature: Bytes): void {
    this.#transport.signed(signature);
  }

  /** Starts a key exchange, unless one is running. */
  startRekey(): void {
    this.#transport.startRekey();
  }

  /** Sends DEBUG (RFC 4253 section 11.3). */
  debug(message: string): void {
    this.#transport.debug(message, true);
  }

  /** Sends DISCONNECT (RFC 4253 section 11.1) and nothing after it. */
  disconnect(reason: number, description: string): void {
    this.#transport.disconnect(reason, description);
  }

  /**
   * Whether messages of the connection layer may follow the login request at once. The server passes messages after a
   * successful request to the new service (RFC 4252 section 5.1), and this request either succeeds or is our last.
   */
  get canPipeline(): boolean {
    return this.authClient?.lastRequestIsOut === true && this.#traits?.inOrder === true;
  }

  /**
   * Sends IGNORE to carry a TCP acknowledgement at once, if the server needs it. With Nagle's algorithm on (sshd before
   * 10.1) it holds back the answer that we wait for until we acknowledge its previous packet, and our system delays
   * acknowledgements by 40 ms.
   */
  acknowledgeNow(): void {
    if (this.#traits?.delaysAnswers) this.#transport.ignore();
  }

  get #wantsPayloads(): boolean {
    return (this.authClient ?? this.authServer)?.wantsInput !== false && this.connection.wantsInput;
  }

  #next(): SessionEvent | undefined {
    for (;;) {
      const own = this.authClient?.next() ?? this.authServer?.next() ?? this.connection.next();
      if (own !== undefined) {
        if (own.type === "authenticated") {
          this.#at = "open";
          this.#transport.limitRekeys(this.#options.rekey, Number.POSITIVE_INFINITY);
        }
        return own;
      }
      if (!this.#wantsPayloads) return undefined;
      const event = this.#transport.next();
      if (event === undefined) {
        this.#limitBeforeLogin();
        return undefined;
      }
      switch (event.type) {
        case "payload":
          this.#route(event.payload, event.sequence);
          break;
        case "resumed":
          this.#resumed();
          break;
        case "extInfo":
          this.#extInfo(event.extensions);
          break;
        case "keys":
          this.#authenticated = true;
          return event;
        case "identified":
          if (this.authClient !== undefined) this.#traits = serverTraits(event.version);
          return event;
        case "unimplemented":
          return this.#traits?.namesNextPacket ? { ...event, sequence: (event.sequence - 1) >>> 0 } : event;
        default:
          return event;
      }
    }
  }

  #limitBeforeLogin(): void {
    if (this.#at === "open" || this.#bytesBeforeLogin <= Limits.bytesBeforeLogin) return;
    throw new SshError("limit", `expected at most ${Limits.bytesBeforeLogin} bytes before login, got more`);
  }

  #route(payload: Bytes, sequence: number): void {
    const number = payload[0] ?? 0;
    const service = number === ServiceRequest.number || number === ServiceAccept.number;
    // RFC 4253 section 10: a service that is not given ends the connection, also after the login.
    if (messageRange(number) === "auth" || service) {
      (this.authClient ?? this.authServer)?.receive(payload);
      if (service && this.authClient?.awaitsAnswer === true) this.acknowledgeNow();
      return;
    }
    if (this.#at !== "open" && messageRange(number) === "connection") {
      throw new SshError("protocol", `expected an authentication message before login, got message ${number}`);
    }
    // RFC 4253 section 11.4: an unknown message number is not an error, at any time.
    if (!this.connection.receive(payload)) this.#transport.unimplemented(sequence);
  }

  /** Our NEWKEYS is sent. The first one starts the login. */
  #resumed(): void {
    const { sessionId, host } = this.#transport;
    if (this.#at !== "kex" || sessionId === undefined || host === undefined) return;
    this.#at = "auth";
    this.authServer?.start(sessionId, host.hostKey);
    if (this.#options.role === "client") {
      const { user, signal } = this.#options.login;
      const { oneFlight = false, oldCertificateNames = false } = this.#traits ?? {};
      const fresh = { serverAlgorithms: undefined, hostbound: false, oldCertificateNames };
      this.authClient?.start({ user, signal, sessionId, ...host, ...fresh }, oneFlight);
    }
  }

  #extInfo(extensions: ReadonlyMap<string, Bytes>): void {
    const names = extensions.get("server-sig-algs");
    if (names !== undefined && this.authClient !== undefined) {
      this.serverSigAlgs = fromUtf8(names).split(",");
      this.authClient.learn({ serverAlgorithms: this.serverSigAlgs });
    }
    // OpenSSH PROTOCOL: version 0, as text.
    const version = extensions.get("publickey-hostbound@openssh.com");
    if (version?.[0] === 0x30 && version.length === 1) this.authClient?.learn({ hostbound: true });
  }
}

/**
 * Whether a reason of RFC 4253 section 11.1 may answer a login: 1, 2 and 13 to 15. The others describe temporary
 * conditions.
 */
function mayRefuse(reason: number): boolean {
  const { PROTOCOL_ERROR, AUTH_CANCELLED_BY_USER, ILLEGAL_USER_NAME } = DisconnectReason;
  return (reason > 0 && reason <= PROTOCOL_ERROR) || (reason >= AUTH_CANCELLED_BY_USER && reason <= ILLEGAL_USER_NAME);
}
