/** A TunnelHost, its clients and its visitors in one process. Listening and dialing happen in memory. */
import { password } from "@postern/auth";
import { modernAlgorithms, sha256 } from "@postern/noble";
import {
  type BytePipe,
  type ClientOptions,
  connect,
  type IncomingOpen,
  type SshConnection,
  streamsFromPipe,
} from "@postern/ssh";
import { echo, pipePair, readToEnd, seededRandom, testHostKey } from "@postern/testkit";
import { policy } from "@postern/web";
import {
  ForwardedTcpip,
  fromUtf8,
  SshError,
  TcpipForward,
  TcpipForwardReply,
  utf8,
  type ValuesOf,
} from "@postern/wire";
import {
  type Address,
  type HostEvents,
  type HostPlatform,
  type ServeClientOptions,
  TunnelHost,
  type TunnelHostOptions,
} from "../src/index.ts";

export const hostKey = testHostKey();

/** Ports in memory. */
export class Network implements HostPlatform {
  readonly algorithms = modernAlgorithms;
  readonly random = seededRandom("host");
  readonly sha256 = sha256;
  readonly #ports = new Map<
    number,
    { readonly hosts: readonly string[]; readonly onVisitor: (pipe: BytePipe, origin: Address) => void }
  >();
  readonly targets = new Map<string, (pipe: BytePipe) => void>();
  #next = 40_000;

  listen: HostPlatform["listen"] = async (hosts, port, onVisitor) => {
    const chosen = port === 0 ? this.#next++ : port;
    if (this.#ports.has(chosen)) throw new SshError("connect", `expected to listen on port ${chosen}, got EADDRINUSE`);
    this.#ports.set(chosen, { hosts, onVisitor });
    return await Promise.resolve({
      port: chosen,
      close: () => {
        this.#ports.delete(chosen);
        return Promise.resolve();
      },
    });
  };

  dial: HostPlatform["dial"] = async ({ host, port }, { signal }) => {
    const target = this.targets.get(`${host}:${port}`);
    if (target === undefined) throw new SshError("connect", "expected a listening target, got none");
    if (signal?.aborted) throw new SshError("aborted", "aborted");
    const [ours, theirs] = pipePair();
    target(theirs);
    return await Promise.resolve(ours);
  };

  get listening(): readonly number[] {
    return [...this.#ports.keys()];
  }

  hosts(port: number): readonly string[] | undefined {
    return this.#ports.get(port)?.hosts;
  }

  /** Connects a visitor to a port. */
  visit(port: number, origin: Address = { host: "192.0.2.99", port: 4711 }): BytePipe {
    const listener = this.#ports.get(port);
    if (listener === undefined) throw new Error(`expected a listener on port ${port}`);
    const [ours, theirs] = pipePair();
    listener.onVisitor(theirs, origin);
    return ours;
  }
}

export interface HostWorld {
  readonly host: TunnelHost;
  readonly network: Network;
  /** Logs a client in. */
  readonly client: (options?: Partial<ClientOptions> & { readonly origin?: Address }) => Promise<SshConnection>;
  /** Serves a pipe. `closed` resolves when the pipe has closed. */
  readonly serve: (options: ServeClientOptions) => {
    readonly served: Promise<void>;
    readonly closed: Promise<unknown>;
  };
  /** Resolves with the next event of a type. */
  readonly event: <Type extends keyof HostEvents>(type: Type) => Promise<HostEvents[Type]>;
}

export function hostWorld(options: Partial<TunnelHostOptions> = {}): HostWorld {
  const network = new Network();
  const authorize = policy({ test: { password: "secret" } });
  const host = new TunnelHost({ hostKeys: [hostKey], authorize, ...options }, network);
  let clients = 0;
  return {
    host,
    network,
    client: async ({ origin, ...given } = {}) => {
      const [ours, theirs] = pipePair();
      void host.serve(theirs, { origin });
      return await connect(ours, {
        algorithms: modernAlgorithms,
        random: seededRandom(`client ${clients++}`),
        user: "test",
        auth: [password("secret")],
        hostKey: () => true,
        ...given,
      });
    },
    serve: (given) => {
      const [ours, theirs] = pipePair();
      const served = host.serve(theirs, given);
      return { served, closed: readToEnd(ours) };
    },
    event: (type) => new Promise((resolve) => host.addEventListener(type, resolve, { once: true })),
  };
}

/** Requests a port. Resolves with it, or with `undefined` if the request is refused. */
export async function forward(client: SshConnection, address: string, port: number): Promise<number | undefined> {
  const { ok, specificData } = await client.request("tcpip-forward", TcpipForward.encode({ address, port }));
  if (!ok) return undefined;
  return port === 0 ? TcpipForwardReply.decode(specificData).port : port;
}

export async function cancel(client: SshConnection, address: string, port: number): Promise<boolean> {
  return (await client.request("cancel-tcpip-forward", TcpipForward.encode({ address, port }))).ok;
}

/** The type-specific data of a `forwarded-tcpip` open. */
export type Opened = ValuesOf<typeof ForwardedTcpip>;

/** Returns an `onChannelOpen` that echoes each channel and records its open. */
export function echoing(opened: Opened[] = []): (open: IncomingOpen) => void {
  return (open) => {
    opened.push(ForwardedTcpip.decode(open.specificData));
    echo(open.accept());
  };
}

/** Sends a text and ends. Resolves with the answer, followed by `!` and an error code if the pipe failed. */
export async function ask(pipe: BytePipe, text: string): Promise<string> {
  const { readable, writable } = streamsFromPipe(pipe);
  const writer = writable.getWriter();
  void writer
    .write(utf8(text))
    .then(
      () => writer.close(),
      () => {},
    )
    .catch(() => {});
  let answer = "";
  try {
    for await (const chunk of readable) answer += fromUtf8(chunk);
  } catch (error) {
    return `${answer}!${error instanceof SshError ? error.code : String(error)}`;
  }
  return answer;
}
