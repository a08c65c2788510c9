/** Remote listening, RFC 4254 section 7: requests for ports, and the routing of the channels that come from them. @module */
import type { CallOptions, IncomingOpen, RequestOptions, SshConnection } from "@postern/ssh";
import {
  type Bytes,
  ForwardedTcpip,
  OpenFailureReason,
  quote,
  RfcLimits,
  SshError,
  TcpipForward,
  TcpipForwardReply,
  type ValuesOf,
} from "@postern/wire";

/** The type-specific part of a `forwarded-tcpip` open. */
export type ForwardedOpen = ValuesOf<typeof ForwardedTcpip>;
/** Answers the opens of one forwarding. */
export type OpenHandler = (open: IncomingOpen, specificData: ForwardedOpen) => void;

interface Route {
  readonly address: string;
  readonly port: number;
  readonly onOpen: OpenHandler;
}

/** The listening ports of one connection. */
export class RemoteListener {
  readonly #connection: SshConnection;
  readonly #routes = new Set<Route>();
  /** what the host said in SSH_MSG_DEBUG since it was asked last, or replied: OpenSSH explains a refusal that way, just before it */
  #said: string[] = [];

  constructor(connection: SshConnection) {
    this.#connection = connection;
  }

  /** The host sent SSH_MSG_DEBUG. */
  debug(message: string): void {
    // With the login sshd tells what the line of the key allows: before its end, or after it as `file:line: key options: …`.
    if (this.#connection.loggedIn && this.#said.length < 8 && !/:\d+: /.test(message)) this.#said.push(message);
  }

  /**
   * Asks the host to listen. `onOpen` is in place before the reply has been handled to its end, for a channel may follow in the same segment.
   * Gives the port.
   *
   * @throws SshError `refused` with the reason the host gave, `denied` when its policy is the reason or it does not support remote forwarding,
   * `aborted`, `misuse` for an address and port that are ours already
   */
  async listen(address: string, port: number, onOpen: OpenHandler, { signal }: CallOptions): Promise<number> {
    if (port !== 0 && this.#exact(address, port) !== undefined) {
      throw new SshError("misuse", `expected a port that is not forwarded yet, got ${name(address, port)}`);
    }
    let bound: number | undefined;
    let said: readonly string[] = [];
    this.#said = [];
    const reply = await this.#connection.request("tcpip-forward", TcpipForward.encode({ address, port }), {
      signal,
      onReply: ({ ok, specificData }) => {
        // Here, and not when the caller goes on: by then the host may have explained something else.
        said = this.#said;
        this.#said = [];
        if (!ok) return;
        bound = port === 0 ? this.#chosenPort(specificData) : port;
        if (bound === undefined) return;
        // Nobody waits for an aborted request any more, so the host is asked to let go.
        if (signal?.aborted) this.#sendCancel(address, bound).catch(() => {});
        else this.#routes.add({ address, port: bound, onOpen });
      },
    });
    if (bound !== undefined) return bound;
    const expected = `expected the host to listen on ${name(address, port)}`;
    if (reply.ok) throw new SshError("protocol", `${expected} and tell the port it chose, got none`);
    if (reply.unimplemented) throw new SshError("denied", `${expected}, the server does not support remote forwarding`);
    const why = said.length === 0 ? "no reason; the port may be in use" : said.map((text) => quote(text)).join(", ");
    throw new SshError(said.some(isPolicy) ? "denied" : "refused", `${expected}, it refused and gave ${why}`);
  }

  /**
   * Asks the host to stop listening. The route stays until it has: opens may still come (RFC 4254 section 7.1).
   * `onCancelled` is called when it has, even if the call was aborted meanwhile.
   */
  async cancel(address: string, port: number, onCancelled: () => void, options: CallOptions): Promise<void> {
    const { ok } = await this.#sendCancel(address, port, {
      ...options,
      onReply: (reply) => {
        const route = this.#exact(address, port);
        if (!reply.ok || route === undefined) return;
        this.#routes.delete(route);
        onCancelled();
      },
    });
    if (!ok) throw new SshError("refused", `expected the host to stop listening on ${name(address, port)}, it refused`);
  }

  /** The host opens a channel. */
  incoming(open: IncomingOpen): void {
    if (open.type !== "forwarded-tcpip") {
      open.refuse(OpenFailureReason.UNKNOWN_CHANNEL_TYPE, "only forwarded-tcpip is accepted");
      return;
    }
    const specificData = ForwardedTcpip.decode(open.specificData);
    const route = this.#route(specificData);
    if (route === undefined) {
      // RFC 4254 section 7.2: MUST be rejected when the port was not requested.
      open.refuse(OpenFailureReason.ADMINISTRATIVELY_PROHIBITED, "this port was not requested");
    } else route.onOpen(open, specificData);
  }

  /** By address and port as requested; else by the port, when that names one: some hosts tell another address. */
  #route({ address, port }: ForwardedOpen): Route | undefined {
    const exact = this.#exact(address, port);
    if (exact !== undefined) return exact;
    const [first, second] = [...this.#routes].filter((route) => route.port === port);
    return second === undefined ? first : undefined;
  }

  #exact(address: string, port: number): Route | undefined {
    for (const route of this.#routes) if (route.address === address && route.port === port) return route;
    return undefined;
  }

  #sendCancel(address: string, port: number, options: RequestOptions = {}): ReturnType<SshConnection["request"]> {
    return this.#connection.request("cancel-tcpip-forward", TcpipForward.encode({ address, port }), options);
  }

  #chosenPort(specificData: Bytes): number | undefined {
    if (specificData.length !== 4) return undefined;
    const { port } = TcpipForwardReply.decode(specificData);
    return port >= 1 && port <= RfcLimits.maxPort ? port : undefined;
  }
}

/** Whether a host's explanation speaks of its policy: sshd explains those refusals and no others (a busy port gets no word). */
function isPolicy(said: string): boolean {
  return /refused|denied|disabled|prohibited|forbidden|not (?:allowed|permitted)/i.test(said);
}

/** How an address and port are named in messages. */
function name(address: string, port: number): string {
  return `${quote(address)} port ${port}`;
}
