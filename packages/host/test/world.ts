/** A TunnelHost, its clients and its visitors in one process. Listening and dialing happen in memory. */
import { password } from "@postern/auth";
import type { Signer } from "@postern/crypto";
import { certificateAlgorithms, modernAlgorithms, sha256 } from "@postern/noble";
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
  concat,
  ForwardedTcpip,
  fromUtf8,
  Reader,
  SshError,
  TcpipForward,
  TcpipForwardReply,
  utf8,
  type ValuesOf,
  Writer,
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
/** Key algorithms of a host that accepts certificates. */
export const withCertificates = [...certificateAlgorithms, ...modernAlgorithms.hostKeys];

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

/** Settings of a client: those of `connect`, its address, and a wrapper of its pipe. */
export type ClientSettings = Partial<ClientOptions> & {
  readonly origin?: Address;
  readonly wrap?: (pipe: BytePipe) => BytePipe;
};

export interface HostWorld {
  readonly host: TunnelHost;
  readonly network: Network;
  /** Logs a client in. */
  readonly client: (options?: ClientSettings) => Promise<SshConnection>;
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
    client: async ({ origin, wrap = (pipe: BytePipe) => pipe, ...given } = {}) => {
      const [ours, theirs] = pipePair();
      void host.serve(theirs, { origin });
      return await connect(wrap(ours), {
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

/** Returns a certificate of an Ed25519 key for the user test, signed by `ca` (OpenSSH PROTOCOL.certkeys). */
export async function certify(user: Signer, ca: Signer): Promise<Uint8Array> {
  const key = new Reader(user.publicKey, "key");
  key.string();
  const extensions = new Writer().text("permit-port-forwarding").text("").finish();
  const signed = new Writer()
    .text("ssh-ed25519-cert-v01@openssh.com")
    .string(new Uint8Array(32))
    .string(key.string())
    .uint64(1n)
    .uint32(1)
    .text("id")
    .string(new Writer().text("test").finish())
    .uint64(0n)
    .uint64(2n ** 64n - 1n)
    .text("")
    .string(extensions)
    .text("")
    .string(ca.publicKey)
    .finish();
  return concat(signed, new Writer().string(await ca.sign(signed, "ssh-ed25519")).finish());
}

/** A pipe that can be cut like a cable: then nothing arrives and nothing is sent, and no end is seen either. */
export function cuttable(pipe: BytePipe): { readonly pipe: BytePipe; readonly cut: () => void } {
  let isCut = false;
  const cuttingPipe: BytePipe = {
    start(sink) {
      pipe.start({
        data: (chunk) => {
          if (!isCut) sink.data(chunk);
        },
        end: () => {
          if (!isCut) sink.end();
        },
        drain: () => sink.drain(),
        closed: (error) => sink.closed(error),
      });
    },
    write: (chunk) => isCut || pipe.write(chunk),
    end: () => {
      if (!isCut) pipe.end();
    },
    pause: () => pipe.pause(),
    resume: () => pipe.resume(),
    close: () => pipe.close(),
    abort: (reason) => pipe.abort(reason),
  };
  return {
    pipe: cuttingPipe,
    cut: () => {
      isCut = true;
    },
  };
}
