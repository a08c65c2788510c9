/** Listens on this machine, for local forwarding. @module */
import { createLocalForwarder, type LocalListen, type Platform } from "@postern/tunnel";
import { listenOnAll } from "./host-platform.ts";
import { socketPipe } from "./socket.ts";
import { listenOnPath } from "./unix-socket.ts";

/** As `ssh -L` binds them. Any other address is taken as it is. */
const addresses: Readonly<Record<string, readonly string[]>> = {
  localhost: ["127.0.0.1", "::1"],
  "": ["0.0.0.0", "::"],
  "*": ["0.0.0.0", "::"],
};

const listen: LocalListen = async (at, onClient) => {
  if ("path" in at) return await listenOnPath(at.path, (socket) => onClient(socketPipe(socket), undefined));
  const hosts = Object.hasOwn(addresses, at.address) ? addresses[at.address] : undefined;
  return await listenOnAll(hosts ?? [at.address], at.port, onClient);
};

/** The member `local` of the platform. */
export const localForwarder: NonNullable<Platform["local"]> = /* @__PURE__ */ createLocalForwarder(listen);
