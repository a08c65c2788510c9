import { none, password, publickey } from "@postern/auth";
import { createCertificateSigner, formatPublicKey } from "@postern/keys";
import { modernAlgorithms, sha256Fingerprint } from "@postern/noble";
import type { LogRecord } from "@postern/ssh";
import { otherHostKey, rejection } from "@postern/testkit";
import { policy } from "@postern/web";
import { describe, expect, it, vi } from "vitest";
import { ask, cancel, certify, echoing, forward, hostKey, hostWorld, withCertificates } from "./world.ts";

const origin = { host: "192.0.2.7", port: 5000 };

describe("the log of a TunnelHost", () => {
  it("has a record for each event of a client's life, with its fields", async () => {
    const records: LogRecord[] = [];
    const world = hostWorld({
      log: (record) => records.push(record),
      url: ({ port }) => `https://${port}.example.com`,
    });
    const client = await world.client({ origin, onChannelOpen: echoing() });
    const port = (await forward(client, "localhost", 0)) ?? 0;
    expect(await ask(world.network.visit(port), "hello")).toBe("hello");
    expect(await cancel(client, "localhost", port)).toBe(true);
    const closed = world.event("clientclosed");
    await client.close();
    await closed;
    const names = records.map(({ level, event }) => `${level} ${event}`);
    expect(names).toEqual([
      "debug clientopened",
      "info login",
      "info forwardingopened",
      "debug visitor",
      "info forwardingclosed",
      "info clientclosed",
    ]);
    const [, login, opened, visitor, , ended] = records;
    expect(login).toMatchObject({ client: 1, user: "test", method: "password", host: "192.0.2.7", port: 5000 });
    expect(login).toMatchObject({ kex: modernAlgorithms.kex[0]?.name, cipherC2s: modernAlgorithms.ciphers[0]?.name });
    expect(login).not.toHaveProperty("fingerprint");
    expect(opened).toMatchObject({ address: "localhost", listenPort: port, url: `https://${port}.example.com` });
    expect(visitor).toMatchObject({ visitorHost: "192.0.2.99", visitorPort: 4711 });
    expect(ended?.bytesIn).toBeGreaterThan(1000);
  });

  it("has at most ten refusals of a kind per second, and then the number of the others", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const records: LogRecord[] = [];
      const world = hostWorld({ log: (record) => records.push(record) });
      const client = await world.client();
      const refusals = () => records.filter(({ event }) => event === "refusal");
      for (let i = 0; i < 25; i++) expect(await forward(client, "localhost", 1)).toBeUndefined();
      expect(refusals()).toHaveLength(10);
      vi.advanceTimersByTime(1_000);
      expect(refusals()).toHaveLength(11);
      expect(refusals()[10]).toMatchObject({ level: "warn", what: "forwarding", omitted: 15 });
      expect(await forward(client, "localhost", 1)).toBeUndefined();
      vi.advanceTimersByTime(1_000);
      expect(refusals()).toHaveLength(12);
      await client.close();
    } finally {
      vi.useRealTimers();
    }
  });

  it("has refusals with the limit that was reached, and no password", async () => {
    const records: LogRecord[] = [];
    const world = hostWorld({ log: (record) => records.push(record), limits: { lowestPort: 2000, penalties: false } });
    await rejection(world.client({ origin, auth: [password("S3cr3t guess")] }));
    const client = await world.client();
    expect(await forward(client, "localhost", 1999)).toBeUndefined();
    const refusals = records.filter(({ event }) => event === "refusal");
    expect(refusals[0]).toMatchObject({ level: "warn", what: "login", host: "192.0.2.7" });
    expect(refusals.at(-1)).toMatchObject({ what: "forwarding", limit: "lowestPort", user: "test" });
    expect(JSON.stringify(records)).not.toMatch(/S3cr3t|guess|secret/);
    await client.close();
  });

  it("does not change a connection if it throws", async () => {
    const world = hostWorld({
      log: () => {
        throw new Error("disk full");
      },
    });
    const client = await world.client({ onChannelOpen: echoing() });
    const port = (await forward(client, "localhost", 0)) ?? 0;
    expect(await ask(world.network.visit(port), "hello")).toBe("hello");
    await client.close();
  });
});

describe("the event login", () => {
  const key = otherHostKey();

  it("has the method, the key's fingerprint and the negotiated algorithms", async () => {
    const world = hostWorld({ authorize: policy({ test: { keys: formatPublicKey(key.publicKey) } }) });
    const login = world.event("login");
    const client = await world.client({ auth: [publickey(key)] });
    const event = await login;
    expect(event).toMatchObject({ method: "publickey", fingerprint: sha256Fingerprint(key.publicKey) });
    expect(event.algorithms).toEqual(client.peer.algorithms);
    expect(event.certificate).toBeUndefined();
    expect(event.client.login).toMatchObject({ user: "test", fingerprint: event.fingerprint });
    await client.close();
  });

  it("has the certificate's ID, serial number and authority", async () => {
    const certificate = await certify(hostKey, key);
    const world = hostWorld({
      authorize: policy({ test: { keys: `cert-authority ${formatPublicKey(key.publicKey)}` } }),
      algorithms: { hostKeys: withCertificates },
    });
    const login = world.event("login");
    const client = await world.client({ auth: [publickey(createCertificateSigner(hostKey, certificate))] });
    const event = await login;
    // `ssh-keygen -l` prints the certified key's fingerprint for a certificate.
    expect(event.fingerprint).toBe(sha256Fingerprint(hostKey.publicKey));
    const authority = sha256Fingerprint(key.publicKey);
    expect(event.certificate).toEqual({ keyId: "id", serial: 1n, authority });
    await client.close();
  });

  it("has the key of the first factor if the last one is a password", async () => {
    const world = hostWorld({
      authorize: (attempt) =>
        attempt.method === "publickey"
          ? { partial: ["password"] }
          : attempt.method === "password" && attempt.passed.includes("publickey"),
    });
    const login = world.event("login");
    const client = await world.client({ auth: [none(), publickey(key), password("any")] });
    expect(await login).toMatchObject({ method: "password", fingerprint: sha256Fingerprint(key.publicKey) });
    await client.close();
  });
});
