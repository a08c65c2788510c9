/** The permissions that sshd_config(5) gives to a user. @module */

import type { GatewayPorts } from "@postern/host";
import type { Permissions } from "@postern/node";
import type { Settings } from "./parse.ts";
import { isYes, textOf, wordsOf } from "./settings.ts";

/**
 * Returns what a user may forward. Ports below 1024 are for root, as in sshd. sshd opens UNIX sockets as the user who
 * logged in; this host opens them as its own user, so no other user may forward them: root may open all of them.
 *
 * @param ownUid the user of this process
 */
export function permissionsOf(
  settings: Settings,
  uid: number,
  ownUid: number | undefined = process.geteuid?.(),
): Permissions {
  const isOff = isYes(settings, "DisableForwarding");
  const tcp = isOff ? "no" : textOf(settings, "AllowTcpForwarding");
  const sockets = isOff || uid !== ownUid ? "no" : textOf(settings, "AllowStreamLocalForwarding");
  const list = (name: string): readonly string[] => {
    const values = wordsOf(settings, name);
    if (values[0] === "any") return ["*:*"];
    return values[0] === "none" ? [] : values;
  };
  return {
    permitListen: [...(allows(tcp, "remote") ? list("PermitListen") : []), ...paths(allows(sockets, "remote"))],
    permitOpen: [...(allows(tcp, "local") ? list("PermitOpen") : []), ...paths(allows(sockets, "local"))],
    gatewayPorts: textOf(settings, "GatewayPorts") as GatewayPorts,
    lowestPort: uid === 0 ? 0 : 1024,
  };
}

function allows(value: string, direction: "local" | "remote"): boolean {
  return value === "yes" || value === "all" || value === direction;
}

/** UNIX sockets are not a matter of PermitListen and PermitOpen. */
function paths(isAllowed: boolean): readonly string[] {
  return isAllowed ? ["/**"] : [];
}
