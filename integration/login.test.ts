/** Logs in to OpenSSH with every cipher, host key and method, and with several methods together. */
import { modernAlgorithms as portable } from "@postern/noble";
import {
  compatibleAlgorithms,
  fingerprint,
  modernAlgorithms,
  password,
  privateKey,
  ReverseTunnel,
  type TunnelOptions,
  type TunnelState,
} from "@postern/node";
import { webSshEd25519 } from "@postern/web";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type KeyPair, type KeyType, makeKey, missing, type Sshd, startSshd, tempDir } from "./harness/index.ts";

const userKeyTypes = ["ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa2048", "rsa4096"] as const;
const hostKeyTypes = ["ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa3072"] as const;
const hostKeyAlgorithms: Readonly<Record<(typeof hostKeyTypes)[number], readonly string[]>> = {
  ed25519: ["ssh-ed25519"],
  ecdsa256: ["ecdsa-sha2-nistp256"],
  ecdsa384: ["ecdsa-sha2-nistp384"],
  ecdsa521: ["ecdsa-sha2-nistp521"],
  rsa3072: ["rsa-sha2-512", "rsa-sha2-256"],
};

describe.skipIf(missing("sshd", "password"))("login to OpenSSH", () => {
  const dir = tempDir("postern-login");
  const keys = new Map<KeyType, KeyPair>();
  let sshd: Sshd;

  const key = (type: KeyType): string => keys.get(type)?.privateText ?? "";
  const options = (host: Sshd, more: Partial<TunnelOptions>): TunnelOptions => ({
    host: "127.0.0.1",
    port: host.port,
    user: host.user,
    auth: [privateKey(key("ed25519"))],
    hostKey: fingerprint(host.fingerprint()),
    ...more,
  });
  const start = (config: Record<string, string> = {}): Promise<Sshd> =>
    startSshd({
      hostKeyTypes,
      password: true,
      authorizedKeys: [...keys.values()].map(({ publicLine }) => publicLine),
      // DEBUG1 logs the negotiated algorithms.
      config: { LogLevel: "DEBUG1", ...config },
    });

  beforeAll(async () => {
    for (const type of userKeyTypes) keys.set(type, await makeKey(type, dir.file(type)));
    sshd = await start();
  });
  afterAll(async () => {
    await sshd.stop();
    dir.remove();
  });

  for (const cipher of modernAlgorithms.ciphers) {
    for (const hostKeyType of hostKeyTypes) {
      for (const algorithm of hostKeyAlgorithms[hostKeyType]) {
        it(`logs in with ${cipher.name}, a host key for ${algorithm}, and each method`, async () => {
          const hostKeys = modernAlgorithms.hostKeys.filter(({ name }) => name === algorithm);
          const methods = [password(sshd.password ?? ""), ...userKeyTypes.map((type) => privateKey(key(type)))];
          for (const method of methods) {
            const hostKey = fingerprint(sshd.fingerprint(hostKeyType));
            const algorithms = { ciphers: [cipher], hostKeys };
            const tunnel = new ReverseTunnel(options(sshd, { algorithms, hostKey, auth: [method] }));
            const before = sshd.log().length;
            await tunnel.connect();
            await tunnel.close();
            await tunnel.closed;
            const log = sshd.log().slice(before);
            expect(log).toContain(`kex: host key algorithm: ${algorithm} `);
            expect(log).toContain(`kex: server->client cipher: ${cipher.name} `);
            expect(log).toContain(`kex: client->server cipher: ${cipher.name} `);
            expect(log).toContain(`Accepted ${method === methods[0] ? "password" : "publickey"} for ${sshd.user} `);
          }
        });
      }
    }
  }

  it("logs in and rekeys with the algorithms of noble and a host key verified by WebCrypto", async () => {
    const algorithms = { ...portable, hostKeys: [webSshEd25519] };
    const tunnel = new ReverseTunnel(options(sshd, { algorithms, rekey: { ms: 20 } }));
    await tunnel.connect();
    await expect.poll(() => tunnel.stats().rekeys).toBeGreaterThan(1);
    await tunnel.close();
    await tunnel.closed;
    const other = new ReverseTunnel(options(sshd, { algorithms, hostKey: fingerprint(sshd.fingerprint("ecdsa256")) }));
    await expect(other.connect()).rejects.toMatchObject({ code: "hostkey" });
  });

  it("logs in with the older ciphers, MACs and key exchanges of `compatibleAlgorithms`", async () => {
    const older = compatibleAlgorithms.ciphers.filter(({ isAead }) => !isAead);
    const kexes = compatibleAlgorithms.kex.filter(({ name }) => name.startsWith("ecdh"));
    expect([older.length, kexes.length]).toEqual([3, 3]);
    for (const cipher of older) {
      for (const mac of compatibleAlgorithms.macs) {
        const algorithms = { ...compatibleAlgorithms, ciphers: [cipher], macs: [mac] };
        const tunnel = new ReverseTunnel(options(sshd, { algorithms }));
        await tunnel.connect();
        await tunnel.close();
      }
    }
    for (const kex of kexes) {
      const tunnel = new ReverseTunnel(options(sshd, { algorithms: { kex: [kex] } }));
      await tunnel.connect();
      await tunnel.close();
    }
  });

  it("reports its states, and calls the host key callback once, with the verified key", async () => {
    const states: TunnelState[] = [];
    const offers: unknown[] = [];
    const tunnel = new ReverseTunnel(
      options(sshd, {
        hostKey: async (offer) => {
          await new Promise((resolve) => setTimeout(resolve, 20));
          offers.push([offer.fingerprint, offer.keyType, offer.algorithm, offer.host, offer.port]);
          return true;
        },
      }),
    );
    tunnel.addEventListener("state", ({ state }) => states.push(state));
    expect(tunnel.state).toBe("new");
    await tunnel.connect();
    await tunnel.close();
    expect(states).toEqual(["connecting", "authenticating", "open", "closed"]);
    expect(offers).toEqual([[sshd.fingerprint("ed25519"), "ssh-ed25519", "ssh-ed25519", "127.0.0.1", sshd.port]]);
  });

  it("passes the banner to the program", async () => {
    const text = "Authorized visitors only.\nNo exceptions.\n";
    const { writeFileSync } = await import("node:fs");
    writeFileSync(dir.file("banner"), text);
    const host = await start({ Banner: dir.file("banner") });
    try {
      const banners: string[] = [];
      const tunnel = new ReverseTunnel(options(host, {}));
      tunnel.addEventListener("banner", ({ message }) => banners.push(message));
      await tunnel.connect();
      await tunnel.close();
      expect(banners).toEqual([text]);
    } finally {
      await host.stop();
    }
  });

  it("tries methods in order, and goes on when one is refused", async () => {
    const unknown = await makeKey("ed25519", dir.file("unknown"));
    const auth = [
      password("wrong"),
      privateKey(unknown.privateText),
      password("wrong too"),
      privateKey(key("ed25519")),
      password(sshd.password ?? ""),
    ];
    const tunnel = new ReverseTunnel(options(sshd, { auth }));
    const before = sshd.log().length;
    await tunnel.connect();
    await tunnel.close();
    const attempts = sshd
      .log()
      .slice(before)
      .matchAll(/(Accepted|Failed) (password|publickey) for/g);
    expect([...attempts].map(([, outcome, method]) => `${outcome} ${method}`)).toEqual([
      "Failed password",
      "Failed publickey",
      "Failed password",
      "Accepted publickey",
    ]);
  });

  for (const order of ["publickey,password", "password,publickey"]) {
    it(`goes on after partial success if the server requires ${order}`, async () => {
      const host = await start({ AuthenticationMethods: order });
      try {
        const auth = [privateKey(key("ed25519")), password(() => Promise.resolve(host.password ?? ""))];
        const tunnel = new ReverseTunnel(options(host, { auth }));
        await tunnel.connect();
        await tunnel.close();
        const half = new ReverseTunnel(options(host, { auth: auth.slice(0, 1) }));
        await expect(half.connect()).rejects.toMatchObject({ code: "auth" });
      } finally {
        await host.stop();
      }
    });
  }
});
