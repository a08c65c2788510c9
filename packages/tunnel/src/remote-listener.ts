/**
 * Remote listening: requests for ports (RFC 4254 section 7) and UNIX sockets (OpenSSH PROTOCOL section 2.4), and
 * routing of the channels that follow. A UNIX socket has its path as the address, and no port.
 * @module
 */
import type { CallOptions, IncomingOpen, RequestOptions, SshConnection } from "@postern/ssh";
import {
  type Bytes,
  ForwardedStreamlocal,
  ForwardedTcpip,
  OpenFailureReason,
  quote,
  SshError,
  StreamlocalForward,
  TcpipForward,
  TcpipForwardReply,
  type ValuesOf,
} from "@postern/wire";
import * as Limits from "@postern/wire/limits";

/** The type-specific part of the open of a visitor's channel. */
export type ForwardedOpen = Omit<ValuesOf<typeof ForwardedTcpip>, "port"> & { readonly port: number | undefined };
/** Handles the channel opens of one forwarding. */
export type OpenHandler = (open: IncomingOpen, specificData: ForwardedOpen) => void;

/** Options of {@link RemoteListener.listen}. */
export interface ListenCall extends CallOptions {
  /** Called with the port, if it is one, while the reply is handled, before any later message is read. */
  readonly onBound?: (port: number | undefined) => void;
}

interface Route {
  readonly address: string;
  readonly port: number | undefined;
  readonly onOpen: OpenHandler;
}

/** The listening ports and sockets of one connection. */
export class RemoteListener {
  readonly #connection: SshConnection;
  readonly #omitsPort: boolean;
  readonly #routes = new Set<Route>();
  /**
   * SSH_MSG_DEBUG texts since the last request or reply. OpenSSH explains a refusal with one, just before the reply.
   */
  #debugTexts: string[] = [];

  /** @param omitsPort whether a reply may lack the port that the server chose; then the port is 0 */
  constructor(connection: SshConnection, omitsPort = false) {
    this.#connection = connection;
    this.#omitsPort = omitsPort;
  }

  /** The server sent SSH_MSG_DEBUG. */
  debug(message: string): void {
    // sshd lists the options of authorized_keys during login, or after it as `file:line: key options: …`. These
    // messages do not explain a refusal.
    if (this.#connection.loggedIn && this.#debugTexts.length < 8 && !/:\d+: /.test(message))
      this.#debugTexts.push(message);
  }

  /**
   * Asks the server to listen, and returns the port. The route exists before the reply has been processed completely,
   * because a channel open may follow in the same segment.
   *
   * @throws SshError `refused` with the server's reason, `denied` if its policy is the reason or it does not support
   * remote forwarding, `aborted`, `misuse` for an address and port that are forwarded already
   */
  async listen(
    address: string,
    port: number | undefined,
    onOpen: OpenHandler,
    { signal, onBound }: ListenCall,
  ): Promise<number | undefined> {
    if (port !== 0 && this.#exact(address, port) !== undefined) {
      throw new SshError("misuse", `expected a port that is not forwarded yet, got ${describe(address, port)}`);
    }
    let bound: { readonly port: number | undefined } | undefined;
    let reasons: readonly string[] = [];
    this.#debugTexts = [];
    const reply = await this.#connection.request(...requestFor(address, port), {
      signal,
      onReply: ({ ok, specificData }) => {
        // Taken here, because later texts belong to later replies.
        reasons = this.#debugTexts;
        this.#debugTexts = [];
        if (!ok) return;
        bound = port === 0 ? this.#chosenPort(specificData) : { port };
        if (bound === undefined) return;
        // The call was aborted, so the port is freed again.
        if (signal?.aborted) this.#sendCancel(address, bound.port).catch(() => {});
        else {
          this.#routes.add({ address, ...bound, onOpen });
          onBound?.(bound.port);
        }
      },
    });
    if (bound !== undefined) return bound.port;
    const expected = `expected the server to listen on ${describe(address, port)}`;
    if (reply.ok) throw new SshError("protocol", `${expected} and to return the port, got none: request a fixed port`);
    if (reply.unimplemented)
      throw new SshError("denied", `${expected}, got UNIMPLEMENTED: it does not support remote forwarding`);
    const hint =
      port === undefined
        ? "a refusal without a reason: the file may exist, see StreamLocalBindUnlink of sshd"
        : "a refusal without a reason: the port may be in use, choose another";
    const got = reasons.length === 0 ? hint : `a refusal: ${reasons.map((text) => quote(text)).join(", ")}`;
    throw new SshError(reasons.some(isPolicy) ? "denied" : "refused", `${expected}, got ${got}`);
  }

  /**
   * Asks the server to stop listening. The route stays until it has, because channel opens may still arrive (RFC 4254
   * section 7.1). `onCancelled` is called once it has, even if the call was aborted.
   */
  async cancel(
    address: string,
    port: number | undefined,
    onCancelled: () => void,
    options: CallOptions,
  ): Promise<void> {
    const { ok } = await this.#sendCancel(address, port, {
      ...options,
      onReply: (reply) => {
        const route = this.#exact(address, port);
        if (!reply.ok || route === undefined) return;
        this.#routes.delete(route);
        onCancelled();
      },
    });
    if (!ok)
      throw new SshError(
        "refused",
        `expected the server to stop listening on ${describe(address, port)}, got a refusal: close the tunnel`,
      );
  }

  /** The server opens a channel. */
  incoming(open: IncomingOpen): void {
    const specificData = forwardedOpen(open);
    if (specificData === undefined) {
      open.refuse(OpenFailureReason.UNKNOWN_CHANNEL_TYPE, "only forwarded connections are accepted");
      return;
    }
    const route = this.#route(specificData);
    if (route === undefined) {
      // RFC 4254 section 7.2: an open for a port that was not requested MUST be rejected.
      open.refuse(OpenFailureReason.ADMINISTRATIVELY_PROHIBITED, "this port was not requested");
    } else route.onOpen(open, specificData);
  }

  /**
   * Finds the route by address and port as requested, or by the port alone if that is unique, because some servers
   * report another address. A path must be the same. A port that the server did not name may be any.
   */
  #route({ address, port }: ForwardedOpen): Route | undefined {
    const exact = this.#exact(address, port);
    if (exact !== undefined || port === undefined) return exact;
    const [first, second] = [...this.#routes].filter((route) => route.port === port || route.port === 0);
    return second === undefined ? first : undefined;
  }

  #exact(address: string, port: number | undefined): Route | undefined {
    for (const route of this.#routes) if (route.address === address && route.port === port) return route;
    return undefined;
  }

  #sendCancel(
    address: string,
    port: number | undefined,
    options: RequestOptions = {},
  ): ReturnType<SshConnection["request"]> {
    const [name, specificData] = requestFor(address, port);
    return this.#connection.request(`cancel-${name}`, specificData, options);
  }

  #chosenPort(specificData: Bytes): { readonly port: number } | undefined {
    if (specificData.length !== 4) return this.#omitsPort && specificData.length === 0 ? { port: 0 } : undefined;
    const { port } = TcpipForwardReply.decode(specificData);
    return port >= 1 && port <= Limits.maxPort ? { port } : undefined;
  }
}

function requestFor(address: string, port: number | undefined): readonly [name: string, specificData: Bytes] {
  return port === undefined
    ? ["streamlocal-forward@openssh.com", StreamlocalForward.encode({ path: address })]
    : ["tcpip-forward", TcpipForward.encode({ address, port })];
}

/** OpenSSH does not report the visitor of a UNIX socket. */
function forwardedOpen({ type, specificData }: IncomingOpen): ForwardedOpen | undefined {
  if (type === "forwarded-tcpip") return ForwardedTcpip.decode(specificData);
  if (type !== "forwarded-streamlocal@openssh.com") return undefined;
  const { path } = ForwardedStreamlocal.decode(specificData);
  return { address: path, port: undefined, originAddress: "", originPort: 0 };
}

/**
 * Whether the server's explanation refers to its policy. sshd explains only those refusals, not a port that is in use.
 */
function isPolicy(text: string): boolean {
  return /refused|denied|disabled|prohibited|forbidden|not (?:allowed|permitted)/i.test(text);
}

function describe(address: string, port: number | undefined): string {
  return port === undefined ? quote(address) : `${quote(address)} port ${port}`;
}
