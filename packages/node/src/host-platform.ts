/** The platform of a TunnelHost on Node.js: ports, targets and algorithms. @module */
import type { Socket } from "node:net";
import type { Algorithms } from "@postern/crypto";
import type { Address, HostPlatform, Listening } from "@postern/host";
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

/** All algorithms that the workers of a host know by name. */
export const knownAlgorithms: Algorithms = { ...compatibleAlgorithms, hostKeys: hostAlgorithms.hostKeys };

/** Number of ports to try, because a port that the system chooses in one address family may be taken in the other. */
const portAttempts = 20;

/** The platform of a host, in one process or in a worker. */
export const hostPlatform: HostPlatform = {
  listen: listenOnAll,
  dial: dialPipe,
  ...(process.platform === "win32" ? {} : { listenPath: listenOnSocket, dialPath: dialSocket }),
  prepare: prepareAlgorithms,
  algorithms: hostAlgorithms,
  random: nodeRandom,
  sha256,
  free,
};

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
