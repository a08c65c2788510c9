/** An SSH server in memory with adjustable behaviour, on a virtual clock. */
import { password } from "@postern/auth";
import type { Signer } from "@postern/crypto";
import { modernAlgorithms, sha256 } from "@postern/noble";
import { accept, type BytePipe, type Channel, type IncomingOpen, pump, type SshConnection } from "@postern/ssh";
import { pipePair, seededRandom, testHostKey } from "@postern/testkit";
import {
  type Bytes,
  DirectTcpip,
  ForwardedTcpip,
  fromUtf8,
  OpenFailureReason,
  SshError,
  TcpipForward,
  TcpipForwardReply,
  utf8,
} from "@postern/wire";
import { afterEach, beforeEach, expect, vi } from "vitest";
import { type Platform, ReverseTunnel, type Target, type TunnelOptions } from "../src/index.ts";
import { createDial } from "./rig.ts";

/**
 * The outcome of a dial. `accept`: an SSH server; `refuse`: connection refused; `hang`: no answer; `mute`: connected,
 * but the server sends nothing; `reset`: dropped before the server's identification; `busy`: refused with sshd's text;
 * `portal`: a web server answers; `forged` and `malformed`: a bad signature or host key; `mismatch`: no common
 * algorithm.
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
  | "mismatch";
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

/** Created by the current test, and ended after it. */
const tunnels: ReverseTunnel[] = [];
const worlds: World[] = [];

export class World implements Platform {
  readonly algorithms = modernAlgorithms;
  readonly sha256 = sha256;
  readonly random = seededRandom("host world");
  /** the addresses that were dialled, `host:port`, including targets */
  readonly dials: string[] = [];
  /** the number of dials in progress */
  dialling = 0;
  /** the outcomes of the next dials of a server; then `fate` applies */
  readonly fates: Fate[] = [];
  fate: Fate = "accept";
  /** the connections that have logged in, newest last */
  readonly links: ServerLink[] = [];
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
  /** targets of forwardings; `hang`: the dial never ends */
  readonly targets = new Map<string, ((pipe: BytePipe) => void) | "hang">();
  readonly #held: (() => void)[] = [];
  readonly #pipes: BytePipe[] = [];
  #nextPort = 40_000;

  constructor() {
    worlds.push(this);
  }

  /** Resets all connections, logged in or not. */
  cutAll(): void {
    for (const pipe of this.#pipes) pipe.abort(new Error("ECONNRESET"));
  }

  /** Ends the server. */
  end(): void {
    for (const pipe of this.#pipes) pipe.abort();
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
    const fate = target === "hang" ? "hang" : target !== undefined ? "accept" : (this.fates.shift() ?? this.fate);
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
      const stop = (): void => end(aborted(signal));
      signal?.addEventListener("abort", stop, { once: true });
    });
  }

  #arrive(pipe: BytePipe, fate: Fate): void {
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

/** Runs everything that can run without moving the clock. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Moves the clock. */
export async function advance(ms: number): Promise<void> {
  await settle();
  await vi.advanceTimersByTimeAsync(ms);
  await settle();
}

/** Gives each test of a file a virtual clock, and checks that the test leaves no timer behind. */
export function onVirtualClock(): void {
  beforeEach(() => {
    vi.useFakeTimers({
      toFake: ["performance", "Date", "setTimeout", "clearTimeout", "setInterval", "clearInterval"],
      now: Date.UTC(2026, 0, 1),
    });
  });
  afterEach(async () => {
    for (const tunnel of tunnels.splice(0)) void tunnel.close();
    await settle();
    for (const world of worlds.splice(0)) world.end();
    // The longest that a connection may take to end.
    await advance(5_000);
    const left = vi.getTimerCount();
    vi.useRealTimers();
    expect(left, "timers left behind").toBe(0);
  });
}

/** Creates a tunnel to the server of that world, and records its events. */
export function tunnelTo(
  world: World,
  options: Partial<TunnelOptions> = {},
  { handlesClosed = true } = {},
): { tunnel: ReverseTunnel; events: string[] } {
  const tunnel = new ReverseTunnel(
    {
      ...(options.hosts === undefined ? { host: "host" } : {}),
      user: "test",
      auth: [password("secret")],
      hostKey: () => true,
      ...options,
      reconnect: { ...options.reconnect, backoff: { jitter: 0, ...options.reconnect?.backoff } },
    },
    world,
  );
  tunnels.push(tunnel);
  if (handlesClosed) tunnel.closed.catch(() => {});
  const events: string[] = [];
  const add = (text: string, reason: SshError | undefined): void =>
    void events.push(reason ? `${text} (${reason.code})` : text);
  tunnel.addEventListener("state", ({ state, reason }) => add(state, reason));
  tunnel.addEventListener("reconnectattempt", ({ attempt, intervalMs, reason }) =>
    add(`attempt ${attempt} in ${intervalMs}`, reason),
  );
  tunnel.addEventListener("forwarding", ({ forwarding, state, reason }) =>
    add(`${forwarding.address}:${forwarding.port} ${state}`, reason),
  );
  return { tunnel, events };
}

/** Creates a tunnel that is open. */
export async function openTunnel(
  world: World,
  options: Partial<TunnelOptions> = {},
): Promise<{ tunnel: ReverseTunnel; events: string[] }> {
  const made = tunnelTo(world, options);
  await made.tunnel.connect();
  await settle();
  made.events.length = 0;
  return made;
}

/** Returns, without moving the clock, `resolved`, `unsettled`, the code of an SshError or the name of another error. */
export async function outcome(promise: Promise<unknown>): Promise<string> {
  let text = "unsettled";
  promise.then(
    () => {
      text = "resolved";
    },
    (error: unknown) => {
      text = error instanceof SshError ? error.code : error instanceof Error ? error.name : String(error);
    },
  );
  await settle();
  return text;
}

/** Records everything that arrives over a pipe, as text. */
export function received(pipe: BytePipe): { text: string; ended: boolean; closed: boolean; error: Error | undefined } {
  const record = { text: "", ended: false, closed: false, error: undefined as Error | undefined };
  pipe.start({
    data(chunk: Bytes) {
      record.text += fromUtf8(chunk);
    },
    end() {
      record.ended = true;
    },
    drain() {},
    closed(error) {
      record.closed = true;
      record.error = error;
    },
  });
  return record;
}

/** A target that echoes. */
export function echo(pipe: BytePipe): void {
  pipe.start({
    data: (chunk) => void pipe.write(chunk),
    end: () => pipe.end(),
    drain() {},
    closed() {},
  });
}

export const target: Target = { host: "target", port: 80 };
