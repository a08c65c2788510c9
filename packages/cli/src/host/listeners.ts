/** The ports of a host for clients. A reload keeps those that stay the same. @module */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { HostLogger } from "./logger.ts";
import type { ListenPlace } from "./setup.ts";
import { systemReason } from "./sshd-config/parse.ts";

/** Open ports. */
export interface Listeners {
  /** Opens the ports that are missing, and closes those that are not listed. Resolves with the number that is open. */
  set(places: readonly ListenPlace[]): Promise<number>;
  /** The addresses that are open. */
  readonly places: readonly ListenPlace[];
  close(): void;
}

/** Creates no port yet. Sockets are paused, with half-close on. */
export function createListeners(logger: HostLogger, onSocket: (socket: Socket) => void): Listeners {
  const open = new Map<string, Server>();
  const close = (key: string): void => {
    open.get(key)?.close();
    open.delete(key);
  };
  return {
    async set(places) {
      const wanted = new Map(places.map((place) => [`${place.host} ${place.port}`, place]));
      for (const key of open.keys()) if (!wanted.has(key)) close(key);
      for (const [key, place] of wanted) {
        if (open.has(key)) continue;
        try {
          const server = await listen(place, onSocket);
          const { address, port } = server.address() as AddressInfo;
          open.set(key, server);
          logger.write("INFO", `Server listening on ${address} port ${port}.`);
        } catch (error) {
          const { code = "" } = error as NodeJS.ErrnoException;
          const reason = systemReason(code);
          // A machine without IPv6 has only the other half of the default.
          if (code === "EAFNOSUPPORT") logger.write("DEBUG1", `no address family of ${place.host}`);
          else logger.write("ERROR", `Bind to port ${place.port} on ${place.host} failed: ${reason}.`);
        }
      }
      return open.size;
    },
    get places() {
      return [...open.values()].map((server) => {
        const { address, port } = server.address() as AddressInfo;
        return { host: address, port };
      });
    },
    close() {
      for (const key of open.keys()) close(key);
    },
  };
}

function listen({ host, port }: ListenPlace, onSocket: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
    // Without a listener, an 'error' of a socket that is not in use yet would end the process.
    socket.on("error", () => {});
    onSocket(socket);
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port, ipv6Only: true, exclusive: true }, () => {
      server.off("error", reject);
      // accept() may fail temporarily, for example with too many open files.
      server.on("error", () => {});
      resolve(server);
    });
  });
}
