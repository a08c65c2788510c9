/** Logs in with every identity at every server, is refused with every near miss, and prints the verdicts. */
import { type AuthMethod, fingerprint, ReverseTunnel } from "@postern/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tempDir, verdictTable } from "./harness/index.ts";
import { CertificateWorld } from "./identities/certificates.ts";
import { Identities, type Identity } from "./identities/identities.ts";
import { type IdentityServer, serversOf } from "./identities/servers.ts";

const dir = tempDir("postern-identities");
const world = new CertificateWorld(dir);
const identities = new Identities(world);
const all = identities.all();
const addVerdict = verdictTable();
const servers = serversOf(dir);

describe.skipIf(servers[0]?.lacks)("our client", () => {
  beforeAll(async () => {
    await world.start();
    await identities.start();
  });
  afterAll(async () => {
    await identities.stop();
    dir.remove();
  });

  describe.each(servers.map((server, index) => ({ ...server, index })))("at $name", (server) => {
    const started = new Map<Identity["server"], Promise<IdentityServer>>();
    afterAll(async () => {
      for (const one of started.values()) await (await one).stop();
    });

    const startFor = (own: Identity["server"]): Promise<IdentityServer> => {
      const trust = {
        keys: identities.publicLines,
        authorities: [world.key("ca").publicLine, world.key("rsa-ca").publicLine],
        revoked: world.revoked.publicLine,
      };
      const running = started.get(own) ?? server.start(trust, own?.config, own?.password);
      started.set(own, running);
      return running;
    };

    for (const identity of all) {
      const { row, detail, verdict, kinds, logged } = identity;
      if (kinds !== undefined && !kinds.includes(server.kind)) continue;
      const claim = verdict === "accepted" ? "logs in by" : "is refused with";
      it.skipIf(server.lacks)(`${claim} ${row}${detail === undefined ? "" : ` (${detail})`}`, async () => {
        const running = await startFor(identity.server);
        const before = running.log().length;
        const login = logIn(running, await identity.methods(running, server.index));
        if (verdict === "accepted") await login;
        else await expect(login).rejects.toMatchObject({ code: "auth" });
        const pattern = logged?.[server.kind];
        if (pattern !== undefined) await expect.poll(() => running.log().slice(before)).toMatch(pattern);
        addVerdict(row, server.name, verdict);
      });
    }
  });
});

async function logIn(server: IdentityServer, auth: AuthMethod | readonly AuthMethod[]): Promise<void> {
  const { port, user, hostKeys } = server;
  const hostKey = fingerprint(hostKeys.ed25519?.fingerprint ?? "none");
  const tunnel = new ReverseTunnel({ host: "127.0.0.1", port, user, auth, hostKey });
  tunnel.closed.catch(() => {});
  await tunnel.connect();
  await tunnel.close();
}
