import { password, publickey } from "@postern/auth";
import { createCertificateSigner, formatPublicKey } from "@postern/keys";
import { sha256Fingerprint } from "@postern/noble";
import type { SshConnection } from "@postern/ssh";
import { otherHostKey, rejection } from "@postern/testkit";
import { policy } from "@postern/web";
import { SshError } from "@postern/wire";
import { describe, expect, it } from "vitest";
import type { Authorize } from "../src/index.ts";
import { ask, certify, echoing, forward, hostKey, hostWorld, withCertificates } from "./world.ts";

const key = otherHostKey();
const line = formatPublicKey(key.publicKey);
const users = policy({ test: { password: "secret", keys: line }, other: { password: "secret" } });
const limits = { penalties: false } as const;

/** Resolves with the error that ends a connection. */
const end = (client: SshConnection): Promise<SshError> => rejection(client.closed);

describe("host.revoke()", () => {
  it("ends the connections of a user at once, frees their ports, and refuses further logins", async () => {
    const world = hostWorld({ authorize: users, limits });
    const client = await world.client({ onChannelOpen: echoing() });
    const other = await world.client({ user: "other" });
    const port = (await forward(client, "localhost", 0)) ?? 0;
    const closed = world.event("clientclosed");
    expect(world.host.revoke({ user: "test" })).toBe(1);
    expect((await end(client)).code).toBe("disconnected");
    expect((await closed).reason?.message).toBe("the user is revoked");
    expect(world.network.listening).not.toContain(port);
    const refusal = world.event("refusal");
    expect((await rejection(world.client())).code).toBe("auth");
    expect((await refusal).reason).toMatch(/the user is revoked/);
    expect(await forward(other, "localhost", 0)).toBeGreaterThan(0);
    world.host.reinstate({ user: "test" });
    await (await world.client()).close();
    await other.close();
  });

  it.each([
    ["a key line", { key: line }],
    ["a key blob", { key: key.publicKey }],
    ["a fingerprint", { fingerprint: sha256Fingerprint(key.publicKey) }],
  ])("ends the connections that used %s, and keeps those of the same user by password", async (_, revocation) => {
    const world = hostWorld({ authorize: users, limits });
    const byKey = await world.client({ auth: [publickey(key)] });
    const byPassword = await world.client();
    const closed = world.event("clientclosed");
    expect(world.host.revoke(revocation)).toBe(1);
    expect((await end(byKey)).code).toBe("disconnected");
    expect((await closed).client.id).toBe(1);
    expect((await rejection(world.client({ auth: [publickey(key)] }))).code).toBe("auth");
    expect(world.host.metrics()).toContain("postern_host_revoked_clients_total 1\n");
    await byPassword.close();
  });

  it("ends the connections of certificates that a revoked CA signed", async () => {
    const authorize = policy({ test: { keys: `cert-authority ${line}` } });
    const world = hostWorld({ authorize, limits, algorithms: { hostKeys: withCertificates } });
    const auth = [publickey(createCertificateSigner(hostKey, await certify(hostKey, key)))];
    const client = await world.client({ auth });
    expect(world.host.revoke({ key: key.publicKey })).toBe(1);
    expect((await end(client)).code).toBe("disconnected");
    expect((await rejection(world.client({ auth }))).code).toBe("auth");
  });

  it("ends a connection whose first factor was the revoked key", async () => {
    const authorize: Authorize = (attempt) =>
      attempt.method === "publickey" ? { partial: ["password"] } : attempt.method === "password";
    const world = hostWorld({ authorize, limits });
    const client = await world.client({ auth: [publickey(key), password("any")] });
    expect(world.host.revoke({ key: line })).toBe(1);
    await end(client);
  });

  it("refuses a login that is being decided when the revocation comes", async () => {
    let decide = (): void => {};
    const asked = new Promise<void>((resolve) => {
      decide = resolve;
    });
    const world = hostWorld({
      limits,
      authorize: async () => {
        world.host.revoke({ user: "test" });
        await asked;
        return true;
      },
    });
    const login = rejection(world.client());
    decide();
    expect((await login).code).toBe("auth");
  });

  it("throws for anything but one key, fingerprint or user", () => {
    const { host } = hostWorld();
    expect(() => host.revoke({})).toThrow(SshError);
    expect(() => host.revoke({ user: "test", key: line })).toThrow(/got 2/);
    expect(() => host.revoke({ fingerprint: "MD5:00" })).toThrow(SshError);
    expect(() => host.revoke({ key: "ssh-ed25519 AAAA" })).toThrow(SshError);
    expect(() => host.revoke({ name: "test" } as never)).toThrow(/unknown option "name"/);
  });
});

describe("host.reload()", () => {
  it("replaces host keys for new connections; earlier ones stay and rekey with the key they know", async () => {
    const world = hostWorld();
    const shown: string[] = [];
    const hostKeyOption = ({ hostKey: blob }: { readonly hostKey: Uint8Array }): boolean => {
      shown.push(sha256Fingerprint(blob));
      return true;
    };
    const earlier = await world.client({ hostKey: hostKeyOption, onChannelOpen: echoing() });
    const port = (await forward(earlier, "localhost", 0)) ?? 0;
    world.host.reload({ hostKeys: [key] });
    const later = await world.client({ hostKey: hostKeyOption });
    expect(shown).toEqual([sha256Fingerprint(hostKey.publicKey), sha256Fingerprint(key.publicKey)]);
    earlier.rekey();
    world.host.clients[0]?.rekey();
    expect(await ask(world.network.visit(port), "hello")).toBe("hello");
    expect(earlier.stats().rekeys).toBeGreaterThan(0);
    expect(world.host.clients).toHaveLength(2);
    await Promise.all([earlier.close(), later.close()]);
  });

  it("replaces authorize, and the login methods of the policy with it", async () => {
    const world = hostWorld({ limits });
    const earlier = await world.client();
    world.host.reload({ authorize: policy({ test: { keys: line } }) });
    const error = await rejection(world.client());
    expect(error.code).toBe("auth");
    const later = await world.client({ auth: [publickey(key)] });
    expect(await forward(earlier, "localhost", 0)).toBeGreaterThan(0);
    await Promise.all([earlier.close(), later.close()]);
  });

  it("asks the new authorize about a login that the old one was deciding", async () => {
    const world = hostWorld({
      limits,
      authorize: async () => {
        await Promise.resolve();
        world.host.reload({ authorize: () => false });
        return true;
      },
    });
    expect((await rejection(world.client())).code).toBe("auth");
  });

  it("merges limits, which apply to the next requests of connected clients", async () => {
    const world = hostWorld({ limits: { ...limits, forwardings: 2, lowestPort: 2000 } });
    const client = await world.client();
    expect(await forward(client, "localhost", 3000)).toBe(3000);
    world.host.reload({ limits: { forwardings: 1 } });
    expect(await forward(client, "localhost", 3001)).toBeUndefined();
    expect(world.network.listening).toEqual([3000]);
    world.host.reload({ limits: { forwardings: 3 } });
    expect(await forward(client, "localhost", 3001)).toBe(3001);
    expect(await forward(client, "localhost", 1999)).toBeUndefined();
    world.host.reload({ limits: { connections: 1 } });
    expect((await rejection(world.client())).code).toBe("busy");
    await client.close();
  });

  it("disconnects the clients whose key a new list revokes", async () => {
    const world = hostWorld({ authorize: users, limits });
    const byKey = await world.client({ auth: [publickey(key)] });
    const byPassword = await world.client();
    const closed = world.event("clientclosed");
    world.host.reload({ revokedKeys: line });
    await end(byKey);
    expect((await closed).client.id).toBe(1);
    expect(world.host.clients).toHaveLength(1);
    await byPassword.close();
  });

  it("changes nothing if an option is wrong", async () => {
    const world = hostWorld({ limits });
    expect(() => world.host.reload({ hostKeys: [], authorize: () => false })).toThrow(SshError);
    expect(() => world.host.reload({ limits: { forwarding: 1 } as never })).toThrow(/did you mean "forwardings"/);
    expect(() => world.host.reload({ tap: () => undefined } as never)).toThrow(/unknown option "tap"/);
    await (await world.client()).close();
    expect(world.host.metrics()).toContain("postern_host_reloads_total 0\n");
  });
});
