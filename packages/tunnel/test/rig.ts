/** A tunnel to a scripted server, in real time; its targets are pipes in memory. */
import { password } from "@postern/auth";
import { modernAlgorithms, sha256 } from "@postern/noble";
import type { BytePipe } from "@postern/ssh";
import { Liar, pipePair, seededRandom, turns } from "@postern/testkit";
import {
  type Bytes,
  ChannelOpen,
  ChannelOpenConfirmation,
  ChannelOpenFailure,
  ForwardedTcpip,
  GlobalRequest,
  RequestFailure,
  RequestSuccess,
  TcpipForward,
  TcpipForwardReply,
} from "@postern/wire";
import {
  type Dial,
  type Forwarding,
  type Listener,
  type ListenOptions,
  type Platform,
  ReverseTunnel,
  type Target,
  type TunnelOptions,
} from "../src/index.ts";

export const nothing = new Uint8Array(0);

/** Makes a platform's dial of an async function. */
export function createDial(
  dial: (target: Target, options: { readonly signal: AbortSignal; readonly timeoutMs: number }) => Promise<BytePipe>,
): Dial {
  return (target, timeoutMs, connected, failed) => {
    const pending = new AbortController();
    dial(target, { signal: pending.signal, timeoutMs }).then(connected, failed);
    return pending;
  };
}

/** A tunnel whose server sends what the test scripts, message by message. */
export class Rig {
  /** one for each dial of the server */
  readonly servers: Liar[] = [];
  /** the far ends of the targets that were dialled */
  readonly targets: BytePipe[] = [];
  readonly dialled: Target[] = [];
  /** Called before a dial of a target succeeds. */
  onTarget: (target: Target, signal: AbortSignal | undefined) => Promise<void> = async () => {};
  /** Called before a dial of the server succeeds. */
  onHost: (signal: AbortSignal | undefined) => Promise<void> = async () => {};
  readonly tunnel: ReverseTunnel;
  readonly states: string[] = [];

  constructor(options: Partial<TunnelOptions> = {}) {
    const platform: Platform = {
      algorithms: modernAlgorithms,
      sha256,
      random: seededRandom("rig"),
      dial: createDial(async (target, { signal }) => {
        const [left, right] = pipePair();
        if (target.host === "host.example") {
          await this.onHost(signal);
          this.servers.push(new Liar("server", right));
        } else {
          this.dialled.push(target);
          await this.onTarget(target, signal);
          this.targets.push(right);
        }
        return left;
      }),
    };
    this.tunnel = new ReverseTunnel(
      {
        host: "host.example",
        user: "test",
        auth: [password("secret")],
        hostKey: () => true,
        reconnect: { mode: "never" },
        keepAlive: { intervalMs: 0 },
        ...options,
      },
      platform,
    );
    // Most tests end with a lost connection, which ends the tunnel.
    this.tunnel.closed.catch(() => {});
    this.tunnel.addEventListener("state", ({ state }) => void this.states.push(state));
  }

  /** The server of the current connection. */
  get server(): Liar {
    const server = this.servers.at(-1);
    if (server === undefined) throw new Error("expected the server to be dialled first");
    return server;
  }

  /** Logs in; the server accepts every login. */
  async logIn(): Promise<this> {
    const login = this.tunnel.connect();
    await turns();
    await this.server.letIn();
    await login;
    return this;
  }

  /** Returns the next forwarding request that the server gets. It answers others, such as keepalives, as sshd does. */
  async nextRequest(): Promise<{ readonly name: string; readonly address: string; readonly port: number }> {
    for (;;) {
      const { name, specificData, wantReply } = GlobalRequest.decode(await this.server.until(GlobalRequest.number));
      if (name.endsWith("tcpip-forward")) return { name, ...TcpipForward.decode(specificData) };
      if (wantReply) this.server.send(denied);
    }
  }

  /** Opens the channel of a visitor of this port. */
  visit(
    address: string,
    port: number,
    senderChannel = 5,
    origin = { originAddress: "192.0.2.7", originPort: 4242 },
  ): void {
    this.server.send(opening(address, port, senderChannel, origin));
  }
}

export const opening = (
  address: string,
  port: number,
  senderChannel = 5,
  origin = { originAddress: "192.0.2.7", originPort: 4242 },
): Bytes =>
  ChannelOpen.encode({
    channelType: "forwarded-tcpip",
    senderChannel,
    initialWindow: 100_000,
    maxPacket: 32_768,
    specificData: ForwardedTcpip.encode({ address, port, ...origin }),
  });

export const granted = (port?: number): Bytes =>
  RequestSuccess.encode({ specificData: port === undefined ? nothing : TcpipForwardReply.encode({ port }) });
export const denied: Bytes = RequestFailure.encode({});

/** Options of `listen`, or of `forward` if there is a target. */
export type RequestOptions = ListenOptions & { readonly target?: Target };

/** Calls `forward` or `listen`. A forwarding with a target is an empty iterable. */
export function request(tunnel: ReverseTunnel, options: RequestOptions): Promise<Listener> {
  const { target } = options;
  return target === undefined
    ? tunnel.listen(options)
    : (tunnel.forward({ ...options, target }) as Promise<Forwarding> as Promise<Listener>);
}

/** Returns a rig with one open forwarding. */
export async function forwarded(
  options: RequestOptions,
  port = options.port,
): Promise<{ readonly rig: Rig; readonly forwarding: Listener }> {
  const rig = await new Rig().logIn();
  const pending = request(rig.tunnel, options);
  await rig.nextRequest();
  rig.server.send(granted(options.port === 0 ? port : undefined));
  return { rig, forwarding: await pending };
}
/** Returns the next refusal of a visitor that the server gets. */
export const refusal = async (rig: Rig): Promise<{ reason: number; description: string }> =>
  ChannelOpenFailure.decode(await rig.server.until(ChannelOpenFailure.number));
/** Returns our number of the next channel that the tunnel confirms. */
export const confirmation = async (rig: Rig): Promise<number> =>
  ChannelOpenConfirmation.decode(await rig.server.until(ChannelOpenConfirmation.number)).senderChannel;
