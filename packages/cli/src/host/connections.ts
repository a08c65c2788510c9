/** The facts about a connection that the log names: where it came from, and who tried to log in. @module */

import type { HostClient, HostLoginAttempt } from "@postern/node";
import { sanitizeText } from "@postern/wire";

/** Where a connection arrived. */
export interface Arrival {
  readonly address: string;
  readonly port: number;
  readonly localAddress: string;
  readonly localPort: number;
}

/** A connection, as the log knows it. */
export interface HostConnection extends Arrival {
  /** the user of the first attempt */
  user: string | undefined;
  /** The user does not exist, or may not log in. */
  isInvalid: boolean;
  /** refused attempts, without those of `none` */
  failures: number;
  /** the key of the last attempt that was accepted, as `ED25519 SHA256:…` */
  acceptedKey: string | undefined;
}

/** The connections of a host. */
export interface HostConnections {
  /** Where the client comes from that is about to be served. */
  arriving: Arrival | undefined;
  of(owner: Pick<HostLoginAttempt, "client"> | HostClient): HostConnection;
  /** `ADDRESS port PORT` */
  placeOf(connection: Arrival): string;
  /** A user name that is safe in a log. */
  nameOf(user: string): string;
}

const unknown: Arrival = { address: "UNKNOWN", port: 65_535, localAddress: "UNKNOWN", localPort: 65_535 };

/** Creates the table of a host. Entries end with their clients. */
export function createConnections(): HostConnections {
  const table = new WeakMap<HostClient, HostConnection>();
  return {
    arriving: undefined,
    of(owner) {
      const client = "client" in owner ? owner.client : (owner as HostClient);
      const known = client && table.get(client);
      if (known !== undefined) return known;
      const fresh = { user: undefined, isInvalid: false, failures: 0, acceptedKey: undefined };
      const connection: HostConnection = { ...(this.arriving ?? unknown), ...fresh };
      if (client !== undefined) table.set(client, connection);
      return connection;
    },
    placeOf: ({ address, port }) => `${address} port ${port}`,
    nameOf: (user) => sanitizeText(user).slice(0, 100),
  };
}
