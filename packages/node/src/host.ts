/** TunnelHost on Node.js, with TCP ports. @module */
import type { Socket } from "node:net";
import type { Algorithms } from "@postern/crypto";
import {
  type Address,
  type HostPlatform,
  type Listening,
  TunnelHost as PortableHost,
  type TunnelHostOptions,
} from "@postern/host";
import { SshError } from "@postern/wire";
import { compatibleAlgorithms, modernAlgorithms } from "./algorithm-sets.ts";
import { certificateAlgorithms, skEcdsaNistp256, skSshEd25519 } from "./certificate-algorithms.ts";
import { dialPipe } from "./dial.ts";
import { free } from "./free.ts";
import { sha256 } from "./hash.ts";
import { dialSocket, listenOnSocket } from "./host-sockets.ts";
import { type Listener, listen } from "./listener.ts";
import { prepareAlgorithms } from "./prepare.ts";
import { nodeRandom } from "./random.ts";
import { socketPipe } from "./socket.ts";

/**
 * The default of a TunnelHost: {@link modernAlgorithms}, AES-CTR with encrypt-then-MAC for clients without AES-GCM, and
 * all types of keys.
 */
export const hostAlgorithms: Algorithms = {
  ...modernAlgorithms,
  hostKeys: [...certificateAlgorithms, ...compatibleAlgorithms.hostKeys, skSshEd25519, skEcdsaNistp256],
  ciphers: compatibleAlgorithms.ciphers,
};

/** Number of ports to try, because a port that the system chooses in one address family may be taken in the other. */
const portAttempts = 20;

const platform: HostPlatform = {
  listen: listenOnAll,
  dial: dialPipe,
  ...(process.platform === "win32" ? {} : { listenPath: listenOnSocket, dialPath: dialSocket }),
  prepare: prepareAlgorithms,
  algorithms: hostAlgorithms,
  random: nodeRandom,
  sha256,
  free,
};

/** Options of {@link TunnelHost.listen}. */
export interface TunnelHostListenOptions extends TunnelHostOptions {
  /** the port for clients; 0 lets the system choose */
  readonly port: number;
  /** the address to bind; default: all addresses of both families */
  readonly address?: string;
  /** aborts `listen`; has no effect once it has resolved */
  readonly signal?: AbortSignal | undefined;
}

/**
 * An SSH server on a TCP port. It only forwards ports: it has no shell, commands or files.
 *
 * @example
 * const host = await TunnelHost.listen({
 *   port: 2222,
 *   hostKeys: [await readPrivateKey(text)],
 *   authorize: policy({ test: { password: "secret", permitListen: ["localhost:*"] } }),
 * });
 * host.addEventListener("login", ({ user }) => console.log(user));
 * await host.close();
 */
export class TunnelHost extends PortableHost {
  #listener: Listener | undefined;

  /**
   * Use {@link TunnelHost.listen} for a TCP port.
   *
   * @throws SshError `misuse` for options that are unknown, missing or out of range
   */
  constructor(options: TunnelHostOptions) {
    super(options, platform);
  }

  /**
   * Listens for clients. In the workers of `node:cluster`, which share the port, each client belongs to one of them.
   *
   * @throws SshError `connect` with the address, the port and the system's reason, such as EADDRINUSE; `misuse`
   *   for wrong options; the signal's reason if the signal aborts
   */
  static async listen({ port, address = "", signal, ...options }: TunnelHostListenOptions): Promise<TunnelHost> {
    const host = new TunnelHost(options);
    host.#listener = await listen({ host: address, port, signal }, (socket) => {
      void host.serve(socketPipe(socket), { origin: originOf(socket) });
    });
    return host;
  }

  /** The port for clients. 0 if the server was not created by `listen`. */
  get port(): number {
    return this.#listener?.port ?? 0;
  }

  protected override async stopListening(): Promise<void> {
    await this.#listener?.close();
  }
}

/** Listens on several addresses, with the same port. */
export async function listenOnAll(
  hosts: readonly string[],
  port: number,
  onVisitor: Parameters<HostPlatform["listen"]>[2],
): Promise<Listening & Pick<Listener, "setRef">> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await listenOnce(hosts, port, (socket) => onVisitor(socketPipe(socket), originOf(socket)));
    } catch (error) {
      if (port !== 0 || attempt >= portAttempts || systemCode(error) !== "EADDRINUSE") throw error;
    }
  }
}

async function listenOnce(
  hosts: readonly string[],
  port: number,
  onSocket: (socket: Socket) => void,
): Promise<Listening & Pick<Listener, "setRef">> {
  const listeners: Listener[] = [];
  // Visitors are served only once all addresses are bound.
  let early: Socket[] | undefined = [];
  try {
    for (const host of hosts) {
      const chosen = listeners[0]?.port ?? port;
      try {
        const accept = (socket: Socket): void => {
          if (early === undefined) onSocket(socket);
          else early.push(socket);
        };
        // Otherwise the clients of two workers of a cluster would share their visitors.
        listeners.push(await listen({ host, port: chosen, ipv6Only: true, exclusive: true }, accept));
      } catch (error) {
        // Several addresses stand for address families, and a machine may lack one.
        const lacking = ["EAFNOSUPPORT", "EADDRNOTAVAIL"].includes(systemCode(error) ?? "");
        if (!lacking || hosts.length === 1) throw error;
      }
    }
    const [first] = listeners;
    if (first === undefined) throw new SshError("connect", `expected to listen on ${hosts.join(", ")}, got no address`);
    for (const socket of early) onSocket(socket);
    early = undefined;
    return {
      port: first.port,
      setRef: (keepsAlive) => {
        for (const listener of listeners) listener.setRef(keepsAlive);
      },
      close: async () => {
        await Promise.all(listeners.map((listener) => listener.close()));
      },
    };
  } catch (error) {
    for (const socket of early ?? []) socket.destroy();
    early = undefined;
    await Promise.all(listeners.map((listener) => listener.close()));
    throw error;
  }
}

function originOf({ remoteAddress = "", remotePort = 0 }: Socket): Address {
  return { host: remoteAddress, port: remotePort };
}

function systemCode(error: unknown): string | undefined {
  return error instanceof SshError ? (error.cause as NodeJS.ErrnoException | undefined)?.code : undefined;
}
