/** The programs of transcripts. They react to events at once, so the same events lead to the same bytes. @module */
import type { SessionEvent, SessionMachine } from "@postern/ssh";
import { type Bytes, ForwardedTcpip, TcpipForward, TcpipForwardReply } from "@postern/wire";

/** Handles every event that does not belong to the login. */
export type Program = (event: SessionEvent) => void;

/** Arguments of a program. */
export interface Inputs {
  /** The initial window and the maximum packet size of our channels. */
  readonly window: number;
  readonly maxPacket: number;
  /** The number of bytes that `visit` sends. */
  readonly size?: number;
  /** Whether `echo` closes its channel after EOF, for peers that wait for that. */
  readonly closes?: boolean;
}

/** The port that `visit` reports. It does not listen. */
const reportedPort = 40_001;

/** Requests a port, echoes its first visitor, cancels the port, and disconnects. */
function echo(session: SessionMachine, { window, maxPacket, closes = false }: Inputs): Program {
  const { connection } = session;
  const queue: Bytes[] = [];
  let ended = false;
  let port: number | undefined;
  const flush = (id: number): void => {
    for (let [first] = queue; first !== undefined; [first] = queue) {
      const sent = connection.write(id, first);
      // Window credit is returned only for bytes that have been echoed.
      connection.consumed(id, sent);
      if (sent < first.length) {
        queue[0] = first.subarray(sent);
        return;
      }
      queue.shift();
    }
    if (!ended) return;
    connection.eof(id);
    if (closes) connection.close(id);
  };
  return (event) => {
    switch (event.type) {
      case "authenticated":
        return connection.globalRequests.send(
          "tcpip-forward",
          TcpipForward.encode({ address: "localhost", port: 0 }),
          true,
        );
      case "globalReply":
        if (port === undefined) ({ port } = TcpipForwardReply.decode(event.specificData));
        else session.disconnect(11, "done");
        return;
      case "open":
        return connection.confirmOpen(event.id, undefined, { window, maxPacket });
      case "data":
        queue.push(event.data);
        return flush(event.id);
      case "writable":
        return flush(event.id);
      case "eof":
        ended = true;
        return flush(event.id);
      case "closed":
        return connection.globalRequests.send(
          "cancel-tcpip-forward",
          TcpipForward.encode({ address: "localhost", port: port ?? 0 }),
          true,
        );
      default:
        return answerNothing(connection, event);
    }
  };
}

/**
 * Grants the client a port, opens a channel at once, sends bytes, reads the answer to its end, and disconnects. A
 * client that has not handled our reply yet may refuse the channel: `visit` opens another one.
 */
function visit(session: SessionMachine, { window, maxPacket, size = 0 }: Inputs): Program {
  const { connection } = session;
  const content = Uint8Array.from({ length: size }, (_, at) => (at * 7 + (at >> 8)) & 0xff);
  let sent = 0;
  let forwarded: { address: string; port: number } | undefined;
  let refused = 0;
  const open = (): void => {
    if (forwarded === undefined) return;
    const origin = { originAddress: "192.0.2.7", originPort: 50_000 };
    const specificData = ForwardedTcpip.encode({ ...forwarded, ...origin });
    connection.openChannel("forwarded-tcpip", specificData, { window, maxPacket });
  };
  const send = (id: number): void => {
    sent += connection.write(id, content.subarray(sent));
    if (sent === size) connection.eof(id);
  };
  return (event) => {
    switch (event.type) {
      case "globalRequest": {
        if (event.name !== "tcpip-forward" || event.slot === undefined) return answerNothing(connection, event);
        const { address, port } = TcpipForward.decode(event.specificData);
        forwarded = { address, port: port === 0 ? reportedPort : port };
        // Only the request of port 0 has a port in its reply (RFC 4254 section 7.1).
        const reply = port === 0 ? TcpipForwardReply.encode({ port: reportedPort }) : undefined;
        connection.globalRequests.reply(event.slot, true, reply);
        return open();
      }
      case "openFailed":
        if (++refused < 100) open();
        return;
      case "opened":
      case "writable":
        return send(event.id);
      case "data":
        return connection.consumed(event.id, event.data.length);
      case "closed":
        return session.disconnect(11, "done");
      default:
        return answerNothing(connection, event);
    }
  };
}

/** Logs in and disconnects. */
function leave(session: SessionMachine): Program {
  const { connection } = session;
  return (event) => {
    if (event.type === "authenticated") session.disconnect(11, "done");
    else answerNothing(connection, event);
  };
}

function answerNothing(connection: SessionMachine["connection"], event: SessionEvent): void {
  if (event.type === "globalRequest" && event.slot !== undefined) connection.globalRequests.reply(event.slot, false);
}

/** By the name in a transcript. */
export const programs: Readonly<
  Record<"echo" | "visit" | "leave", (session: SessionMachine, inputs: Inputs) => Program>
> = { echo, visit, leave };
