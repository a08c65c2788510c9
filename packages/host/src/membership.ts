/** The place of one client among all: its startup, its memory, and the connection that counts for its user. @module */
import type { Offence } from "./admission.ts";
import { clientMemory, type Exceeded } from "./host-budget.ts";
import type { HostContext } from "./host-context.ts";
import { type ProvedKey, revokedReason } from "./login-identity.ts";

/** Counts a client, from its first byte to the end of its connection. */
export interface Membership {
  /** Counts the client for its user. Returns why it may not stay. */
  loggedIn(user: string, keys: readonly ProvedKey[]): Exceeded | undefined;
  /** The connection has ended. A client that did not log in may be punished for an offence. */
  left(offence: Offence | undefined): void;
}

/** Returns the membership of an admitted client. */
export function joinHost(host: string | undefined, context: HostContext): Membership {
  const { admission, budget } = context;
  let isStarting = true;
  /** The user that the client counts for. */
  let counted: string | undefined;
  const count = (user: string): Exceeded | undefined => {
    const exceeded = budget.take(user, "connections");
    if (exceeded !== undefined) return exceeded;
    const noMemory = budget.assignMemory(user, clientMemory);
    if (noMemory !== undefined) budget.giveBack(user, "connections");
    return noMemory;
  };
  return {
    loggedIn(user, keys) {
      admission.startupEnded(host);
      isStarting = false;
      // A revocation may have come after the decision.
      const revoked = revokedReason(user, keys, context);
      if (revoked !== undefined) return { reason: revoked, limit: undefined };
      const exceeded = count(user);
      if (exceeded === undefined) counted = user;
      return exceeded;
    },
    left(offence) {
      if (isStarting) {
        admission.startupEnded(host);
        if (offence !== undefined) admission.punish(host, offence);
      }
      budget.returnMemory(clientMemory, counted);
      if (counted !== undefined) budget.giveBack(counted, "connections");
    },
  };
}
