/** Proxy mode of a master (OpenSSH PROTOCOL.mux section 9): a client opens channels on our connection. @module */
import type { Socket } from "node:net";
import { socketPipe } from "@postern/node";
import { plainConnection, relayChannel } from "@postern/ssh";
import { OpenFailureReason } from "@postern/wire";
import type { MasterContext } from "./context.ts";

/** The channels that a client opens. The server knows no others, apart from X11 and agents, which ssh does not pass. */
const types: readonly string[] = ["session", "direct-tcpip", "direct-streamlocal@openssh.com"];

/** Serves a client in proxy mode until it closes the socket (takes it). */
export function serveProxyClient(socket: Socket, context: MasterContext): void {
  plainConnection(socketPipe(socket), {
    onChannelOpen(open) {
      const connection = context.connection();
      if (!types.includes(open.type))
        open.refuse(OpenFailureReason.UNKNOWN_CHANNEL_TYPE, "expected a session or a connection");
      else if (connection === undefined) open.refuse(OpenFailureReason.CONNECT_FAILED, "not connected to the server");
      else relayChannel(open, connection);
    },
  });
}
