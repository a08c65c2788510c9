/** The master of a shared connection: ControlMaster and ControlPath (OpenSSH PROTOCOL.mux). @module */
import type { Socket } from "node:net";
import type { Master, MasterContext } from "./context.ts";
import { type ControlSocket, listenOnControlPath } from "./control-socket.ts";
import { MasterClient, type MasterOfClient } from "./master-client.ts";
import { serveProxyClient } from "./proxy-master.ts";

/** Options of {@link startMaster}. */
export interface MasterOptions {
  /** ControlPath */
  readonly path: string;
  readonly context: MasterContext;
}

/**
 * Listens on a control path. If another master does, it logs so and resolves with `undefined`: the program goes on
 * without multiplexing, as ssh does.
 *
 * @throws SshError `connect` if the path cannot be used, which ends ssh
 */
export async function startMaster({ path, context }: MasterOptions): Promise<Master | undefined> {
  context.log("debug", "setting up multiplex master socket");
  const clients = new Set<Socket>();
  let listener: ControlSocket | undefined;
  const own: MasterOfClient = {
    forwards: context.forwards,
    stopListening: () => listener?.close(),
    proxy: (socket) => serveProxyClient(socket, context),
  };
  listener = await listenOnControlPath(path, (socket) => {
    clients.add(socket);
    socket.once("close", () => clients.delete(socket));
    new MasterClient(socket, context, own);
  });
  if (listener === undefined) {
    context.log("error", `ControlSocket ${path} already exists, disabling multiplexing`);
    return undefined;
  }
  return {
    path,
    get isIdle() {
      return clients.size === 0;
    },
    async close() {
      listener?.close();
      for (const socket of clients) socket.destroy();
    },
  };
}
