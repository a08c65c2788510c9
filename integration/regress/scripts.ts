/** Which of OpenSSH's scripts run, in which role, and why others do not apply. @module */
import type { Release } from "./releases.ts";
import type { Commands } from "./stand-ins.ts";

export type Role = "client" | "host";

export interface Script {
  readonly role: Role;
  readonly name: string;
  readonly release: Release["name"];
  /** How the commands of a script run in the role of the host. Default: it runs none. */
  readonly commands?: Commands;
  /** After this time, in seconds, the script is stopped. Default: 900. */
  readonly limitSeconds?: number;
  /** Options ahead of those of the script, with the reason in the remark. */
  readonly words?: readonly string[];
  /** Whether it also runs in `npm test`. */
  readonly isQuick?: boolean;
  /** Whether its verdict depends on times of seconds. It runs alone. */
  readonly isTimed?: boolean;
}

const client =
  "forwarding forward-control dynamic-forward multiplex connect connect-uri portnum login-timeout " +
  "brokenkeys multipubkey keytype limit-keytype sshcfgparse cfginclude host-expand percent knownhosts " +
  "knownhosts-command hostkey-rotate banner try-ciphers dhgex cert-userkey cert-file agent integrity";
/** Scripts that expect `ssh -N` to end with its connection. */
const endsOfConnections = "connection-timeout";
/**
 * Debian 12 does not have the first three, and its sshd does not have each of our key exchanges. Its ssh accepts
 * certificates that list no host; newer releases refuse them, as we do.
 */
const newerClient = "proxyjump password kbdint kextype rekey cert-hostkey";

const hostWithCommands =
  "forwarding dynamic-forward banner login-timeout kextype try-ciphers multipubkey hostkey-rotate limit-keytype " +
  "allow-deny-users reconfigure keyscan";
const hostWithoutCommands = "cfgparse proto-version proto-mismatch";
const newerHost = "penalty penalty-expire";

/** Times in seconds. A loaded machine needs several times those of an idle one. */
const slow: Readonly<Record<string, number>> = {
  rekey: 3_600,
  "try-ciphers": 1_800,
  "cert-userkey": 1_800,
  integrity: 1_800,
};
const quick: ReadonlySet<string> = new Set([
  "client connect",
  "client connect-uri",
  "host proto-version",
  "host proto-mismatch",
]);

const timed: ReadonlySet<string> = new Set(["connection-timeout", "login-timeout", "penalty", "penalty-expire"]);

/** The note of a verdict. */
interface Remark {
  readonly text: string;
  /** Matches each failure of a script that fails for this reason. */
  readonly failure?: RegExp;
}

/** By role and script. */
const remarks: Readonly<Record<string, Remark>> = {
  "client agent": {
    text: "fails where it forwards the agent (`-A`), which Postern refuses; its other parts pass",
    failure: /agent (path )?(env )?fwd|different agent/,
  },
  "client cert-userkey": {
    text: "fails for `rsa` alone: the script allows no other algorithm for it than `ssh-rsa`, which signs SHA-1",
    failure: /^ssh cert connect failed$/,
  },
  "client dhgex": {
    text: "its first part asks for 3des-cbc, which Postern does not have, and a failure there ends the script",
    failure: /3des-cbc|^ssh failed \(\)|^dhgex/,
  },
  "client connection-timeout": {
    text:
      "with `--no-reconnect`: sshd ends an unused connection without a DISCONNECT, so it looks like a lost one, and " +
      "`-N` opens lost connections again",
  },
  "client kextype": { text: "the script has sshd offer all of our key exchanges, which only newer releases know" },
  "host kextype": { text: "with the key exchanges that both programs have" },
  "host try-ciphers": { text: "with the ciphers and MACs that both programs have" },
  "host keyscan": { text: "with the types of keys that both programs have" },
};

export const scripts: readonly Script[] = [
  ...each(client, { role: "client", release: "bookworm" }),
  ...each(endsOfConnections, { role: "client", release: "bookworm", words: ["--no-reconnect"] }),
  ...each(newerClient, { role: "client", release: "forky" }),
  ...each(hostWithCommands, { role: "host", release: "bookworm", commands: "through" }),
  ...each("forward-control", { role: "host", release: "bookworm", commands: "beside" }),
  ...each(hostWithoutCommands, { role: "host", release: "bookworm" }),
  ...each(newerHost, { role: "host", release: "forky", commands: "through" }),
];

function each(names: string, common: Omit<Script, "name">): Script[] {
  return names.split(" ").map((name) => {
    const limitSeconds = slow[name];
    return {
      ...common,
      name,
      ...(limitSeconds !== undefined && { limitSeconds }),
      ...(quick.has(`${common.role} ${name}`) && { isQuick: true }),
      ...(timed.has(name) && { isTimed: true }),
    };
  });
}

/** Returns the remark of a script in docs/audit/regress.md. A script that fails needs one, with the reason. */
export function remarkOf({ role, name }: Script): Remark {
  return remarks[`${role} ${name}`] ?? { text: "" };
}
