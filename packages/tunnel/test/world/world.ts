/** The network and the SSH server of the tests, in memory. */
import type { Signer } from "@postern/crypto";
import { modernAlgorithms, sha256 } from "@postern/noble";
import {
  type Address,
  accept,
  type BytePipe,
  type Channel,
  type IncomingOpen,
  pump,
  type SshConnection,
} from "@postern/ssh";
import { Liar, pipePair, seededRandom, testHostKey } from "@postern/testkit";
import {
  DirectTcpip,
  ForwardedTcpip,
  OpenFailureReason,
  SshError,
  TcpipForward,
  TcpipForwardReply,
  utf8,
} from "@postern/wire";
import { type Dial, hostedService, type Platform, type VisitorFeatures, visitorFeatures } from "../../src/index.ts";
import { afterTest } from "./clock.ts";

/**
 * The outcome of a dial. `accept`: an SSH server; `refuse`: connection refused; `hang`: no answer; `mute`: connected,
 * but the server sends nothing; `reset`: dropped before the server's identification; `busy`: refused with sshd's text;
 * `portal`: a web server answers; `forged` and `malformed`: a bad signature or host key; `mismatch`: no common
 * algorithm; `script`: the test sends every message.
 */
export type Fate =
  | "accept"
  | "refuse"
  | "hang"
  | "mute"
  | "reset"
  | "busy"
  | "portal"
  | "forged"
  | "malformed"
  | "mismatch"
  | "script";
/** How the server answers a request for a port; `hold` waits for `release`. */
export type PortAnswer = "listen" | "busy" | "denied" | "hold" | "no port";
/** The outcome of a `direct-tcpip` open. `own`: the server's own listeners. */
export type DirectAnswer = "own" | "foreign" | "closed" | "denied" | "hang" | "mute";

/** One connection, seen from the server. */
export interface ServerLink {
  readonly connection: SshConnection;
  /** the ports that the server listens on for this client, `address:port` */
  readonly ports: Set<string>;
  /** Resets the connection. */
  cut(): void;
  /** The network drops everything from now on, in both directions. */
  silence(): void;
}

export class World implements Platform {
  readonly algorithms = modernAlgorithms;
  readonly sha256 = sha256;
  readonly service = hostedService();
  readonly visitorFeatures: VisitorFeatures | undefined = visitorFeatures;
  readonly random = seededRandom("host world");
  /** the addresses that were dialled, `host:port`, including targets */
  readonly dials: string[] = [];
  /** the number of dials in progress */
  dialling = 0;
  /** the reasons of the dials that were aborted while they hung */
  readonly aborts: unknown[] = [];
  /** the outcomes of the next dials of a server; then `fate` applies */
  readonly fates: Fate[] = [];
  fate: Fate = "accept";
  /** the connections that have logged in, newest last */
  readonly links: ServerLink[] = [];
  /** the servers of the fate `script`, newest last */
  readonly scripts: Liar[] = [];
  /** the delay of the network, one way */
  delayMs = 0;
  secret = "secret";
  /** whether it accepts logins with any key */
  keys = true;
  hostKey: Signer = testHostKey();
  /** the requests it got, such as `forward localhost:7777` and `cancel localhost:7777`, in order */
  readonly requests: string[] = [];
  portAnswer: (address: string, port: number, attempt: number) => PortAnswer = () => "listen";
  cancelAnswer: "ok" | "refuse" | "hold" = "ok";
  directAnswer: (host: string, port: number) => DirectAnswer = () => "own";
  /** the targets of forwardings, or the fates of their dials */
  readonly targets = new Map<string, ((pipe: BytePipe) => void) | "refuse" | "hang">();
  readonly #held: (() => void)[] = [];
  readonly #pipes: BytePipe[] = [];
  #nextPort = 40_000;

  constructor() {
    afterTest.push(() => {
      for (const pipe of this.#pipes) pipe.abort();
    });
  }

  /** Resets all connections, logged in or not. */
  cutAll(): void {
    for (const pipe of this.#pipes) pipe.abort(new Error("ECONNRESET"));
  }

  /** The last connection. */
  get link(): ServerLink {
    const link = this.links.at(-1);
    if (link === undefined) throw new Error("expected a client to log in first");
    return link;
  }

  dial: Platform["dial"] = createDial(async ({ host, port }, { signal, timeoutMs }) => {
    this.dials.push(`${host}:${port}`);
    const target = this.targets.get(`${host}:${port}`);
    const fate = typeof target === "function" ? "accept" : (target ?? this.fates.shift() ?? this.fate);
    if (signal?.aborted) throw aborted(signal);
    if (fate === "hang") await this.#never(signal, timeoutMs);
    // A dial never settles at once.
    await Promise.resolve();
    if (fate === "refuse") throw new SshError("connect", `expected ${host}:${port} to accept, got ECONNREFUSED`);
    const [ours, theirs] = pipePair();
    if (typeof target === "function") target(theirs);
    else this.#arrive(theirs, fate);
    return ours;
  });

  /** Answers held requests, oldest first. */
  release(): void {
    for (const answer of this.#held.splice(0)) answer();
  }

  /** A visitor connects to a port of the last link. Returns the channel as the server sees it. */
  async visit(port: number, { address = "localhost", link = this.link } = {}): Promise<Channel> {
    const specificData = ForwardedTcpip.encode({ address, port, originAddress: "192.0.2.99", originPort: 4711 });
    return await link.connection.openChannel("forwarded-tcpip", specificData);
  }

  async #never(signal: AbortSignal | undefined, timeoutMs: number): Promise<void> {
    this.dialling++;
    await new Promise<void>((_, reject) => {
      const timer = setTimeout(
        () => end(new SshError("timeout", `expected a connection within ${timeoutMs} ms`)),
        timeoutMs,
      );
      const end = (error: SshError): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", stop);
        this.dialling--;
        reject(error);
      };
      const stop = (): void => {
        this.aborts.push(signal?.reason);
        end(aborted(signal));
      };
      signal?.addEventListener("abort", stop, { once: true });
    });
  }

  #arrive(pipe: BytePipe, fate: Fate): void {
    if (fate === "script") {
      this.scripts.push(new Liar("server", pipe));
      return;
    }
    if (["accept", "forged", "malformed", "mismatch"].includes(fate)) return this.#serve(pipe, fate);
    pipe.start({ data() {}, end: () => pipe.end(), drain() {}, closed() {} });
    if (fate === "reset") pipe.abort(new Error("ECONNRESET"));
    if (fate !== "busy" && fate !== "portal") return;
    pipe.write(
      utf8(fate === "busy" ? "Not allowed at this time\r\n" : "HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n"),
    );
    pipe.end();
  }

  #serve(outer: BytePipe, fate: Fate): void {
    const { hostKey } = this;
    const { publicKey } = hostKey;
    const shown: Signer = {
      ...hostKey,
      publicKey: fate === "malformed" ? publicKey.slice(0, -1) : publicKey,
      sign: (data, algorithm) => hostKey.sign(fate === "forged" ? data.slice(1) : data, algorithm),
    };
    const kex = modernAlgorithms.kex.map((one) =>
      fate === "mismatch" ? { ...one, name: `${one.name}@example.com` } : one,
    );
    const [near, far] = pipePair();
    this.#pipes.push(far);
    let silent = false;
    const pass = (what: () => void): void => {
      if (silent) return;
      if (this.delayMs > 0) setTimeout(what, this.delayMs);
      else what();
    };
    const relay = (from: BytePipe, to: BytePipe): void =>
      from.start({
        data: (chunk) => pass(() => to.write(chunk)),
        end: () => pass(() => to.end()),
        drain() {},
        closed: (error) => pass(() => error && to.abort(error)),
      });
    relay(outer, near);
    relay(near, outer);
    const ports = new Set<string>();
    const cut = (): void => {
      outer.abort(new Error("ECONNRESET"));
      far.abort(new Error("ECONNRESET"));
    };
    const silence = (): void => {
      silent = true;
    };
    accept(far, {
      algorithms: { ...modernAlgorithms, kex },
      random: seededRandom(`host link ${this.dials.length}`),
      hostKeys: [shown],
      banner: "welcome",
      authenticate: (attempt) =>
        attempt.method === "publickey" ? this.keys : attempt.method === "password" && attempt.password === this.secret,
      onGlobalRequest: (request, connection) => this.#request(request, { connection, ports, cut, silence }),
      onChannelOpen: (open, connection) => this.#direct(open, { connection, ports, cut, silence }),
    }).then(
      (connection) => void this.links.push({ connection, ports, cut, silence }),
      () => {},
    );
  }

  #request(
    request: Parameters<NonNullable<Parameters<typeof accept>[1]["onGlobalRequest"]>>[0],
    link: ServerLink,
  ): void {
    if (request.name === "tcpip-forward") {
      const { address, port } = TcpipForward.decode(request.specificData);
      const attempt = this.requests.push(`forward ${address}:${port}`);
      const answer = (how: PortAnswer): void => {
        if (how === "hold") this.#held.push(() => answer("listen"));
        else if (how === "denied") {
          link.connection.debug("Server has disabled port forwarding.");
          request.refuse();
        } else if (how === "busy") request.refuse();
        else if (how === "no port") request.accept();
        else {
          const bound = port === 0 ? this.#nextPort++ : port;
          link.ports.add(`${address}:${bound}`);
          request.accept(port === 0 ? TcpipForwardReply.encode({ port: bound }) : new Uint8Array(0));
        }
      };
      answer(this.portAnswer(address, port, attempt));
    } else if (request.name === "cancel-tcpip-forward") {
      const { address, port } = TcpipForward.decode(request.specificData);
      this.requests.push(`cancel ${address}:${port}`);
      const answer = (): void => {
        if (link.ports.delete(`${address}:${port}`)) request.accept();
        else request.refuse();
      };
      if (this.cancelAnswer === "hold") this.#held.push(answer);
      else if (this.cancelAnswer === "refuse") request.refuse();
      else answer();
    } else request.refuse();
  }

  #direct(open: IncomingOpen, link: ServerLink): void {
    const { host, port } = DirectTcpip.decode(open.specificData);
    const how = this.directAnswer(host, port);
    if (how === "hang") return;
    if (how === "denied") return open.refuse(OpenFailureReason.ADMINISTRATIVELY_PROHIBITED, "open failed");
    const listener = [...link.ports].find((name) => name.endsWith(`:${port}`));
    if (how === "closed" || (how === "own" && listener === undefined)) {
      return open.refuse(OpenFailureReason.CONNECT_FAILED, "Connection refused");
    }
    const channel = open.accept();
    if (how === "mute") return;
    if (how === "foreign") {
      channel.write(utf8("220 somebody else's server\r\n"));
      return;
    }
    const address = listener?.slice(0, listener.lastIndexOf(":")) ?? "";
    const specificData = ForwardedTcpip.encode({ address, port, originAddress: host, originPort: 50_000 });
    link.connection.openChannel("forwarded-tcpip", specificData).then(
      (visitor) => pump(channel, visitor),
      () => channel.abort(),
    );
  }
}

function aborted(signal: AbortSignal | undefined): SshError {
  return new SshError("aborted", "the dial was aborted", { cause: signal?.reason });
}

/** Makes a platform's dial of an async function. */
export function createDial(
  dial: (target: Address, options: { readonly signal: AbortSignal; readonly timeoutMs: number }) => Promise<BytePipe>,
): Dial {
  return (target, timeoutMs, connected, failed, preface) => {
    const pending = new AbortController();
    dial(target, { signal: pending.signal, timeoutMs }).then((pipe) => {
      if (preface !== undefined) pipe.write(preface);
      connected(pipe);
    }, failed);
    return pending;
  };
}
