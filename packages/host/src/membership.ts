/** The place of one client among all: its startup, its memory, and the connection that counts for its user. @module */
import { clientMemory, type Exceeded } from "./host-budget.ts";
import type { HostContext, Membership } from "./host-context.ts";
import type { ProvedKey } from "./login-identity.ts";

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

/** Returns why a client may not stay, or `undefined`: its user or one of its keys is revoked. */
export function revokedReason(
  user: string,
  keys: readonly ProvedKey[],
  { revocations, options }: Pick<HostContext, "revocations" | "options">,
): string | undefined {
  for (const key of keys) {
    const reason = revocations.keyReason(key) ?? options.revokedKeys?.reason(key.publicKey);
    if (reason !== undefined) return reason;
  }
  return revocations.userReason(user);
}
