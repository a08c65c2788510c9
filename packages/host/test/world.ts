/** A host of ours, its clients and its visitors in one process: listening and dialling happen in memory. */
import { password } from "@postern/auth";
import { modernAlgorithms, parsePrivateKey, signer } from "@postern/noble";
import {
  type BytePipe,
  type Channel,
  type ClientOptions,
  connect,
  type IncomingOpen,
  type SshConnection,
  streamsFromPipe,
} from "@postern/ssh";
import { pipePair, seededRandom } from "@postern/testkit";
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

/** A key made for these tests alone: ssh-keygen -t ed25519 -N '' -C test */
const hostKeyText = `-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACCDR21qHwhivAOg5W73/HK5y6aq9eBwjJ7VBi+uHsn8cwAAAIgQUdlVEFHZ
VQAAAAtzc2gtZWQyNTUxOQAAACCDR21qHwhivAOg5W73/HK5y6aq9eBwjJ7VBi+uHsn8cw
AAAEDRfVJeMsHa0AfqXSr5dnsSdAQcPN+OLr5BZ4CxhW5hW4NHbWofCGK8A6Dlbvf8crnL
pqr14HCMntUGL64eyfxzAAAABHRlc3QB
-----END OPENSSH PRIVATE KEY-----
`;
export const hostKey = signer(parsePrivateKey(hostKeyText));

/** Ports in memory. */
export class Network implements HostPlatform {
  readonly algorithms = modernAlgorithms;
  readonly random = seededRandom("host");
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
    if (target === undefined) throw new SshError("connect", "expected somebody to listen, got nobody");
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

  /** A visitor comes to a port. */
  visit(port: number, origin: Address = { host: "192.0.2.99", port: 4711 }): BytePipe {
    const listener = this.#ports.get(port);
    if (listener === undefined) throw new Error(`nobody listens on port ${port}`);
    const [ours, theirs] = pipePair();
    listener.onVisitor(theirs, origin);
    return ours;
  }
}

export interface HostWorld {
  readonly host: TunnelHost;
  readonly network: Network;
  /** Logs a client on. */
  readonly client: (options?: Partial<ClientOptions> & { readonly origin?: Address }) => Promise<SshConnection>;
  /** Serves a pipe; `gone` resolves when it has been dropped. */
  readonly serve: (options: ServeClientOptions) => { readonly served: Promise<void>; readonly gone: Promise<unknown> };
  /** The first event of a type from now on. */
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
      return { served, gone: heard(ours) };
    },
    event: (type) => new Promise((resolve) => host.addEventListener(type, resolve, { once: true })),
  };
}

/** Asks for a port; gives it, or undefined when that is refused. */
export async function forward(client: SshConnection, address: string, port: number): Promise<number | undefined> {
  const { ok, specificData } = await client.request("tcpip-forward", TcpipForward.encode({ address, port }));
  if (!ok) return undefined;
  return port === 0 ? TcpipForwardReply.decode(specificData).port : port;
}

export async function cancel(client: SshConnection, address: string, port: number): Promise<boolean> {
  return (await client.request("cancel-tcpip-forward", TcpipForward.encode({ address, port }))).ok;
}

/** What a client says of its visitors: the type-specific part of each open. */
export type Opened = ValuesOf<typeof ForwardedTcpip>;

/** An `onChannelOpen` that sends back what comes, and keeps what was opened. */
export function echoing(opened: Opened[] = []): (open: IncomingOpen) => void {
  return (open) => {
    opened.push(ForwardedTcpip.decode(open.specificData));
    echo(open.accept());
  };
}

export function echo(pipe: BytePipe | Channel): void {
  pipe.start({
    data: (chunk) => void pipe.write(chunk),
    end: () => pipe.end(),
    drain() {},
    closed() {},
  });
}

/** Sends a text, ends, and gives the answer; "" with an error's name when the pipe broke. */
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

/** Resolves when the pipe is gone, with the bytes that came before. */
export function heard(pipe: BytePipe): Promise<{ readonly text: string; readonly error: Error | undefined }> {
  let text = "";
  return new Promise((resolve) => {
    pipe.start({
      data(chunk) {
        text += fromUtf8(chunk);
      },
      end: () => pipe.end(),
      drain() {},
      closed: (error) => resolve({ text, error }),
    });
  });
}
