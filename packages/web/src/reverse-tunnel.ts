/** ReverseTunnel over any byte pipe, with algorithms in pure JavaScript. @module */
import { webRandom } from "@postern/crypto";
import { modernAlgorithms, sha256 } from "@postern/noble";
import type { Address, Log } from "@postern/ssh";
import {
  checkDial,
  createDial,
  type DialPipe,
  type Endpoint,
  logTunnel,
  ReverseTunnel as PortableTunnel,
  type TunnelOptions,
  visitorFeatures,
} from "@postern/tunnel";
import { expectType } from "@postern/wire";
import { prepareAlgorithms } from "./prepare.ts";

/** Options of a ReverseTunnel whose connections the program opens. */
export interface WebTunnelOptions extends TunnelOptions {
  /**
   * Connects to the server, or to the proxy or the first jump host if there is one. Called for each connection, also
   * when reconnecting. `host` and `port` identify the server whose key is checked; the pipe may lead there by any way.
   * The signal fires when the pipe is no longer needed.
   */
  readonly dial: DialPipe<Endpoint>;
  /**
   * Connects to the target of a forwarding. Default: `forward()` throws, and `listen()` returns visitors as channels.
   */
  readonly dialTarget?: DialPipe<Address>;
  /**
   * Receives a record of each event: level, name, message and fields, never a secret. See {@link Log}. Default: nothing
   * is logged. `tap: (server) => packetLog(log, server)` also logs each packet.
   */
  readonly log?: Log;
}

/**
 * A reverse tunnel through an SSH server, over a WebSocket, the streams of a runtime's socket, or any other byte pipe:
 * logs in, requests ports on the server, and passes each visitor to the program as a channel.
 *
 * @example
 * const tunnel = new ReverseTunnel({
 *   dial: (_server, { signal }) => webSocketPipe("wss://bridge.example.com", { signal }),
 *   host: "ssh.example.com",
 *   user: "test",
 *   auth: [password("secret")],
 *   hostKey: fingerprint("SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDYzMtFDqMRQH+xi8E"),
 * });
 * await tunnel.connect();
 * const listener = await tunnel.listen({ port: 0 });
 * for await (const channel of listener) channel.readable.pipeTo(channel.writable);
 */
export class ReverseTunnel extends PortableTunnel {
  /** @throws SshError `misuse` for options that are unknown, missing or out of range */
  constructor(options: WebTunnelOptions) {
    const { dial, dialTarget, log, ...rest } = options ?? {};
    // Unlike on Node.js there is no default.
    checkDial("dial", dial ?? null);
    checkDial("dialTarget", dialTarget);
    if (log !== undefined) expectType("log", log, "function");
    super(rest, {
      dial: createDial("host", dial),
      dialTarget: dialTarget !== undefined && createDial("target", dialTarget),
      visitorFeatures,
      algorithms: modernAlgorithms,
      prepare: prepareAlgorithms,
      random: webRandom,
      sha256,
    });
    if (log !== undefined) logTunnel(this, log);
  }
}
