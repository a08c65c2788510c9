/** The server: host key signature and logon decisions. @module */
import { identification } from "@postern/transport";
import { SshError } from "@postern/wire";
import type { BytePipe } from "./byte-pipe.ts";
import { Connection, type SshConnection } from "./connection.ts";
import { refuseAborted, rekeyLimits, type ServerOptions } from "./options.ts";
import { type SessionEvent, SessionMachine } from "./session-machine.ts";
import { defaultSoftware } from "./version.ts";

/**
 * Serves the SSH client at the other end of a pipe; resolves when it has logged on.
 *
 * @throws SshError when it does not
 */
export async function serve(pipe: BytePipe, options: ServerOptions): Promise<SshConnection> {
  if (options.hostKeys.length === 0) throw new SshError("misuse", "expected at least one host key");
  refuseAborted(pipe, options.signal);
  const now = options.now ?? (() => performance.now());
  const session = new SessionMachine({
    role: "server",
    algorithms: options.algorithms,
    random: options.random,
    hostKeys: options.hostKeys,
    version: identification(options.software ?? defaultSoftware),
    rekey: rekeyLimits(options.rekey),
    now: now(),
    logon: {
      methods: options.methods ?? ["publickey", "password"],
      algorithms: options.algorithms.hostKeys,
      banner: options.banner,
    },
  });
  const connection = new Connection(pipe, session, options, now, (event, self) => logonEvent(event, self, session, options));
  return await connection.open("");
}

function logonEvent(event: SessionEvent, connection: Connection, session: SessionMachine, options: ServerOptions): void {
  switch (event.type) {
    case "sign":
      connection.decide(
        () => event.signer.sign(event.data, event.algorithm),
        (signature) => session.transport.signed(signature),
      );
      return;
    case "attempt":
      connection.decide(
        async () => {
          try {
            return await options.authenticate(event.attempt);
          } catch {
            return false;
          }
        },
        (decision) => session.authServer?.decide(decision),
      );
      return;
    case "authenticated":
      connection.loggedOn(event.user);
      return;
    default:
      throw new SshError("misuse", `expected no event ${event.type} on a server`);
  }
}
