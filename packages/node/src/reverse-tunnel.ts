/** ReverseTunnel over the sockets of Node.js, with the algorithms of node:crypto. @module */
import type { ConnectionOptions } from "node:tls";
import type { Address, Log } from "@postern/ssh";
import {
  checkDial,
  createDial,
  type DialPipe,
  type Endpoint,
  type Forwarding,
  type ForwardOptions,
  type HostKeyCheck,
  hostedService,
  logTunnel,
  ReverseTunnel as PortableTunnel,
  type TunnelOptions,
  tunnelMetrics,
  visitorFeatures,
} from "@postern/tunnel";
import { expectType } from "@postern/wire";
import { modernAlgorithms } from "./algorithm-sets.ts";
import { sha256 } from "./algorithms.ts";
import { dialWithCallbacks } from "./dial.ts";
import { free } from "./free.ts";
import { knownHosts } from "./known-hosts.ts";
import { localForwarder } from "./local-listener.ts";
import { prepareAlgorithms } from "./prepare.ts";
import { nodeRandom } from "./random.ts";
import { logToStderr, withPacketLog } from "./tunnel-logging.ts";
import { dialTarget, specialTargets } from "./unix-socket.ts";

/** The address to which a forwarding on Node.js connects its visitors. */
export type NodeTarget =
  | { readonly path: string }
  | (Address & {
      /**
       * TLS with the target: `true`, or options of `tls.connect`. By default its certificate must be valid for `host`.
       * Default: no TLS.
       */
      readonly tls?: true | ConnectionOptions | undefined;
    });

/** Options of `ReverseTunnel.forward` on Node.js. */
export interface NodeForwardOptions extends ForwardOptions {
  /** the address to which each visitor is connected; see {@link ForwardOptions.target} */
  readonly target: NodeTarget | "socks";
}

/** Options of a ReverseTunnel on Node.js. */
export interface NodeTunnelOptions extends Omit<TunnelOptions, "hostKey"> {
  /**
   * Decides whether to trust the server's host key; see `fingerprint` and `knownHosts`. Default: `knownHosts()`, which
   * trusts only keys that the user has accepted before.
   */
  readonly hostKey?: HostKeyCheck;
  /**
   * Receives a record of each event: level, name, message and fields, never a secret. See {@link Log}. Default: nothing
   * is logged.
   */
  readonly log?: Log;
  /**
   * Logs each packet by name, size and fields, without passwords and data, as `ssh -vvv` does. To `log` with level
   * `debug`, or to stderr if there is none. Default: false.
   */
  readonly debug?: boolean;
  /**
   * Connects to the server, or to the proxy or the first jump host if there is one. Called for each connection, also
   * when reconnecting. `host` and `port` identify the server whose key is checked; the pipe may lead there by any way,
   * such as `commandPipe` or `webSocketPipe`. The signal fires when the pipe is no longer needed. Default: TCP.
   */
  readonly dial?: DialPipe<Endpoint>;
}

/**
 * A reverse tunnel through an SSH server: connects over TCP, logs in, requests ports on the server, and serves the
 * connections that arrive there.
 *
 * @example
 * const tunnel = new ReverseTunnel({
 *   host: "ssh.example.com",
 *   user: "test",
 *   auth: [password("secret")],
 *   hostKey: fingerprint("SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDYzMtFDqMRQH+xi8E"),
 * });
 * await tunnel.connect();
 * const web = await tunnel.forward({ port: 7777, target: { host: "127.0.0.1", port: 80 } });
 */
export class ReverseTunnel extends PortableTunnel {
  /** @throws SshError `misuse` for options that are unknown, missing or out of range */
  constructor(options: NodeTunnelOptions) {
    const { dial, hostKey = knownHosts(), log, debug = false, ...rest } = options ?? {};
    checkDial("dial", dial);
    if (log !== undefined) expectType("log", log, "function");
    expectType("debug", debug, "boolean");
    super(
      { ...rest, hostKey, ...(debug && { tap: withPacketLog(log ?? logToStderr, rest.tap) }) },
      {
        dial: dial === undefined ? dialWithCallbacks : createDial("host", dial),
        dialTarget,
        specialTargets,
        local: localForwarder,
        dialsTls: true,
        visitorFeatures,
        prepare: prepareAlgorithms,
        algorithms: modernAlgorithms,
        random: nodeRandom,
        sha256,
        service: hostedService(),
        free,
      },
    );
    if (log !== undefined) logTunnel(this, log);
  }

  /** The same as on every platform; the target may also speak TLS. */
  override forward(options: NodeForwardOptions, ...ignored: []): Promise<Forwarding> {
    return super.forward(options, ...ignored);
  }

  /** Returns the figures of `stats()` as OpenMetrics 1.0 text, for Prometheus and others. */
  metrics(): string {
    return tunnelMetrics(this);
  }
}
