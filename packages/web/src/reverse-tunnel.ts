/** ReverseTunnel over any byte pipe, with the algorithms in pure JavaScript. @module */

import { webRandom } from "@postern/crypto";
import { modernAlgorithms, sha256 } from "@postern/noble";
import { type Endpoint, ReverseTunnel as PortableTunnel, type Target, type TunnelOptions } from "@postern/tunnel";
import { SshError } from "@postern/wire";
import { createDial, type DialPipe } from "./dial.ts";

/** Options of a ReverseTunnel that is told how to reach the host. */
export interface WebTunnelOptions extends TunnelOptions {
  /**
   * Connects to the host: called for each connection, also the ones after it was lost. `host` and `port` are the endpoint whose key is
   * checked; where the pipe leads to is up to this function. The signal fires when the pipe is not wanted any more.
   */
  readonly dial: DialPipe<Endpoint>;
  /** Connects to a target of local forwarding. Without it forwardings are event based, and a target is refused. */
  readonly dialTarget?: DialPipe<Target>;
}

/**
 * A reverse tunnel through an SSH host, over a WebSocket, the streams of a runtime's socket, or any other byte pipe: logs in,
 * asks the host for ports, and gives each visitor as a channel.
 *
 * @example
 * const tunnel = new ReverseTunnel({
 *   dial: (_host, { signal }) => webSocketPipe("wss://bridge.example.com", { signal }),
 *   host: "ssh.example.com",
 *   user: "test",
 *   auth: [password("secret")],
 *   hostKey: fingerprint("SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDYzMtFDqMRQH+xi8E"),
 * });
 * await tunnel.connect();
 * const forwarding = await tunnel.listen({ port: 0 });
 * for await (const channel of forwarding) channel.readable.pipeTo(channel.writable);
 */
export class ReverseTunnel extends PortableTunnel {
  /** @throws SshError `misuse` for options that are unknown, missing or out of range */
  constructor(options: WebTunnelOptions) {
    const { dial, dialTarget, ...rest } = options ?? {};
    if (typeof dial !== "function") {
      const example = '(host, { signal }) => webSocketPipe("wss://…", { signal })';
      throw new SshError("misuse", `expected dial to connect to the host, such as ${example}; got ${typeof dial}`);
    }
    if (dialTarget !== undefined && typeof dialTarget !== "function") {
      throw new SshError("misuse", `expected dialTarget to be a function, got ${typeof dialTarget}`);
    }
    super(rest, {
      dial: createDial("host", dial),
      dialTarget: dialTarget !== undefined && createDial("target", dialTarget),
      algorithms: modernAlgorithms,
      random: webRandom,
      sha256,
    });
  }
}
