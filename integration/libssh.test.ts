/**
 * libssh 0.10, the SSH of Debian 12 and of many appliances, in both roles. Its KEXINIT has lists that end with a comma.
 * Its server never leaves the key exchange if the login's first request arrives together with NEWKEYS.
 */
import { ReverseTunnel } from "@postern/node";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { echoes, nextEvent, type RunningHost, startHost } from "./harness/clients/host.ts";
import {
  echoTarget,
  exchange,
  freePort,
  halfCloseTarget,
  isListening,
  type KeyPair,
  missing,
  patternHash,
  type Target,
  type TempDir,
  tempDir,
  tunnelOptions,
  userKey,
} from "./harness/index.ts";
import { clients } from "./peers/clients.ts";
import type { StartedClient } from "./peers/peer.ts";
import { servers } from "./peers/servers.ts";

describe.skipIf(missing("libssh", "ssh"))("libssh", { timeout: 30_000 }, () => {
  const libsshClient = clients.find(({ name }) => name === "libssh")!;
  const libsshServer = servers.find(({ name }) => name === "libssh")!;
  let dir: TempDir;
  let user: KeyPair;
  let echo: Target;
  let cleanUps: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    dir = tempDir("postern-libssh");
    user = await userKey();
    echo = await echoTarget();
  });
  afterEach(async () => {
    for (const cleanUp of cleanUps.reverse()) await cleanUp();
    cleanUps = [];
  });
  afterAll(async () => {
    await echo.stop();
    dir.remove();
  });

  async function startClient(
    options: Parameters<typeof startHost>[0] = {},
    { target = echo.port, rekeyBytes }: { target?: number; rekeyBytes?: number } = {},
  ): Promise<{ readonly host: RunningHost; readonly client: StartedClient; readonly port: number }> {
    const host = await startHost({ keys: `${user.publicLine}\n`, ...options });
    cleanUps.push(host.stop);
    const port = await freePort();
    const client = await libsshClient.start({ server: host, user, listen: port, target, rekeyBytes });
    cleanUps.push(client.stop);
    await client.listening;
    return { host, client, port };
  }

  async function startServer(options: { rekeyBytes?: number } = {}, more = {}): Promise<ReverseTunnel> {
    const server = await libsshServer.start({ user, ...options });
    cleanUps.push(server.stop);
    const tunnel = new ReverseTunnel(await tunnelOptions(server, { reconnect: { mode: "never" }, ...more }));
    tunnel.closed.catch(() => {});
    cleanUps.push(() => Promise.race([tunnel.close(), new Promise((resolve) => setTimeout(resolve, 1000))]));
    await tunnel.connect();
    return tunnel;
  }

  describe("as a client of our TunnelHost", () => {
    it("logs in with lists of ciphers that end with a comma (RFC 4251 section 5), and opens a tunnel", async () => {
      const { host, port } = await startClient();
      expect(host.host.clients[0]?.version).toMatch(/libssh_0\./);
      expect(await echoes(port)).toBe(true);
    });

    it("forwards a half-close", async () => {
      const target = await halfCloseTarget();
      cleanUps.push(target.stop);
      const { port } = await startClient({}, { target: target.port });
      expect(String(await exchange(port, new Uint8Array(0)))).toBe(patternHash(0));
    });

    it("cancels its forwarding", async () => {
      const { host, client, port } = await startClient();
      const closed = nextEvent(host.host, "forwardingclosed");
      await client.cancel?.();
      expect((await closed).forwarding.port).toBe(port);
      expect(isListening(port)).toBe(false);
    });

    it.each([
      ["the host", { rekey: { bytes: 256 * 1024 } }, {}],
      ["the client", {}, { rekeyBytes: 256 * 1024 }],
    ])("goes on when %s starts a rekey under load", async (_who, options, more) => {
      const { port } = await startClient(options, more);
      expect(await echoes(port, 4_000_000)).toBe(true);
    });
  });

  describe("as the server of our ReverseTunnel", () => {
    it("accepts a login step by step, and forwards", async () => {
      const tunnel = await startServer();
      const forwarding = await tunnel.forward({ port: 0, target: { host: "127.0.0.1", port: echo.port } });
      expect(await echoes(forwarding.port)).toBe(true);
      await forwarding.close();
      expect(isListening(forwarding.port)).toBe(false);
    });

    it("forwards a port that was requested during the login", async () => {
      const server = await libsshServer.start({ user });
      cleanUps.push(server.stop);
      const tunnel = new ReverseTunnel(await tunnelOptions(server, { reconnect: { mode: "never" } }));
      tunnel.closed.catch(() => {});
      cleanUps.push(() => tunnel.close());
      const target = { host: "127.0.0.1", port: echo.port };
      const [, forwarding] = await Promise.all([tunnel.connect(), tunnel.forward({ port: 0, target })]);
      expect(await echoes(forwarding.port)).toBe(true);
    });

    it.each([
      ["we start", {}, { rekey: { bytes: 256 * 1024 } }],
      ["the server starts", { rekeyBytes: 256 * 1024 }, {}],
    ])("goes on when %s a rekey under load", async (_who, options, more) => {
      const tunnel = await startServer(options, more);
      const forwarding = await tunnel.forward({ port: 0, target: { host: "127.0.0.1", port: echo.port } });
      expect(await echoes(forwarding.port, 4_000_000)).toBe(true);
      expect(tunnel.stats().rekeys).toBeGreaterThan(2);
    });
  });
});
