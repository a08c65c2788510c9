/** A tunnel whose server sends what the test scripts, message by message. */
import { type Liar, turns } from "@postern/testkit";
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
import type { Listener, ReverseTunnel, TunnelOptions } from "../../src/index.ts";
import { createTunnel, type RequestOptions, request } from "./tunnel.ts";
import { World } from "./world.ts";

export const nothing = new Uint8Array(0);

/** It neither reconnects nor sends keepalives by default. */
export class Rig {
  readonly world = new World();
  readonly tunnel: ReverseTunnel;
  readonly states: string[] = [];

  constructor(options: Partial<TunnelOptions> = {}) {
    this.world.fate = "script";
    this.tunnel = createTunnel(this.world, {
      reconnect: { mode: "never" },
      keepAlive: { intervalMs: 0 },
      ...options,
    });
    // Most tests end with a lost connection, which ends the tunnel.
    this.tunnel.closed.catch(() => {});
    this.tunnel.addEventListener("state", ({ state }) => void this.states.push(state));
  }

  /** The server of the current connection. */
  get server(): Liar {
    const server = this.world.scripts.at(-1);
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
  visit(...visitor: Parameters<typeof opening>): void {
    this.server.send(opening(...visitor));
  }

  /** Returns the next refusal of a visitor that the server gets. */
  async refusal(): Promise<{ readonly reason: number; readonly description: string }> {
    return ChannelOpenFailure.decode(await this.server.until(ChannelOpenFailure.number));
  }

  /** Returns our number of the next channel that the tunnel confirms. */
  async confirmation(): Promise<number> {
    return ChannelOpenConfirmation.decode(await this.server.until(ChannelOpenConfirmation.number)).senderChannel;
  }
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
