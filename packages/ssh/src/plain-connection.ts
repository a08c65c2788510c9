/** A connection without encryption and login, over a stream that is secure by itself. @module */

import type { BytePipe } from "./byte-pipe.ts";
import { Connection } from "./connection.ts";
import { PlainSession } from "./plain-session.ts";
import type { IncomingOpen, SshConnection } from "./ssh-connection.ts";

/** Options of {@link plainConnection}. */
export interface PlainConnectionOptions {
  /** the other side opens a channel; default: every channel is refused */
  readonly onChannelOpen?: (open: IncomingOpen, connection: SshConnection) => void;
}

/**
 * Speaks the connection protocol (RFC 4254) with the other end of a pipe (takes it), in the proxy mode of OpenSSH's
 * PROTOCOL.mux, section 9. The pipe itself has to be safe, such as a UNIX socket of one user: nothing is encrypted or
 * authenticated. The same on both sides. Global requests of the program fail, because a master does not answer them.
 *
 * @example
 * const connection = plainConnection(pipe);
 * const session = await openSession(connection, { exec: "uptime" });
 */
export function plainConnection(pipe: BytePipe, { onChannelOpen }: PlainConnectionOptions = {}): SshConnection {
  const now = (): number => performance.now();
  const options = onChannelOpen === undefined ? {} : { onChannelOpen };
  const connection = new Connection(pipe, new PlainSession(now()), options, now, () => {});
  // It is open at once, so this settles before any event.
  connection.open("").catch(() => {});
  connection.loginDone("");
  // A program that does not look at `closed` sees the end in its channels.
  connection.closed.catch(() => {});
  return connection;
}
