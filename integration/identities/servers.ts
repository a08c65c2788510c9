/** The servers of the table: each trusts the same keys, CAs and revocations. @module */
import { writeFileSync } from "node:fs";
import { startHost } from "../harness/clients/host.ts";
import { missing, newerRoot, type SshServer, startDropbear, startSshd, type TempDir } from "../harness/index.ts";

export interface Trust {
  /** Lines of authorized_keys. */
  readonly keys: readonly string[];
  /** Public keys of CAs. */
  readonly authorities: readonly string[];
  readonly revoked: string;
}

export interface IdentityServer extends SshServer {
  readonly password: string | undefined;
  /** Returns the log so far. */
  readonly log: () => string;
  stop(): Promise<void>;
}

export type ServerKind = "sshd" | "TunnelHost" | "dropbear";

export interface ServerOfTable {
  readonly name: string;
  readonly kind: ServerKind;
  readonly lacks: string | undefined;
  /** `config` replaces lines of sshd_config. */
  start(trust: Trust, config?: Readonly<Record<string, string>>, password?: string): Promise<IdentityServer>;
}

export function serversOf(dir: TempDir): readonly ServerOfTable[] {
  const sshd = (name: string, root: () => { readonly root?: string }, lacks: string | undefined): ServerOfTable => ({
    name,
    kind: "sshd",
    lacks,
    async start({ keys, authorities, revoked }, config = {}, password) {
      writeFileSync(dir.file("authorities"), authorities.map((line) => `${line}\n`).join(""));
      writeFileSync(dir.file("revoked"), `${revoked}\n`);
      return await startSshd({
        ...root(),
        authorizedKeys: keys,
        password: password ?? true,
        config: {
          TrustedUserCAKeys: dir.file("authorities"),
          RevokedKeys: dir.file("revoked"),
          UsePAM: "yes",
          KbdInteractiveAuthentication: "yes",
          LogLevel: "DEBUG1",
          ...config,
        },
      });
    },
  });
  return [
    sshd("Debian's sshd", () => ({}), missing("sshd", "password")),
    sshd("a newer sshd", () => ({ root: newerRoot() }), missing("sshd", "password", "newer")),
    {
      name: "TunnelHost",
      kind: "TunnelHost",
      lacks: missing("ssh"),
      async start({ keys, authorities, revoked }) {
        const lines = [...keys, ...authorities.map((line) => `cert-authority ${line}`)].map((line) => `${line}\n`);
        const server = await startHost({ keys: lines.join(""), revokedKeys: revoked });
        const reasons: string[] = [];
        server.host.addEventListener("refusal", ({ reason }) => reasons.push(reason));
        return Object.assign(server, { log: () => reasons.join("\n") });
      },
    },
    {
      name: "dropbear",
      kind: "dropbear",
      lacks: missing("dropbear"),
      start: ({ keys }) => startDropbear({ authorizedKeys: keys, password: true }),
    },
  ];
}
