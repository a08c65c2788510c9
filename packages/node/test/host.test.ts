import { readFileSync } from "node:fs";
import * as net from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { parsePrivateKey, signer } from "@postern/noble";
import { testHostKeyText } from "@postern/testkit";
import { afterEach, describe, expect, it } from "vitest";
import {
  fingerprint,
  password,
  policy,
  ReverseTunnel,
  type SshError,
  TunnelHost,
  type TunnelHostListenOptions,
} from "../src/index.ts";

/** its fingerprint: ssh-keygen -l */
const trusted = "SHA256:rr1ev+W69ZCB7nh4k9WnBxY9sXAMoPm58l4oAqxHgt0";

const hosts: TunnelHost[] = [];
const servers: net.Server[] = [];
afterEach(async () => {
  for (const host of hosts.splice(0)) await host.close({ drainMs: 0 });
  for (const server of servers.splice(0)) server.close();
});

async function listening(options: Partial<TunnelHostListenOptions> = {}): Promise<TunnelHost> {
  const host = await TunnelHost.listen({
    port: 0,
    hostKeys: [signer(parsePrivateKey(testHostKeyText))],
    authorize: policy({ test: { password: "secret" } }),
    ...options,
  });
  hosts.push(host);
  return host;
}

async function tunnelTo(host: TunnelHost, address = "127.0.0.1"): Promise<ReverseTunnel> {
  const tunnel = new ReverseTunnel({
    host: address,
    port: host.port,
    user: "test",
    auth: [password("secret")],
    hostKey: fingerprint(trusted),
  });
  await tunnel.connect();
  return tunnel;
}

async function held(address: string): Promise<number> {
  const server = net.createServer();
  servers.push(server);
  await new Promise<void>((resolve) => server.listen({ host: address, port: 0, ipv6Only: true }, resolve));
  return (server.address() as net.AddressInfo).port;
}

function answers(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** Returns the timers of the kernel's established connections with this port at one end; 02 is keepalive. */
function kernelTimers(port: number, end: "local" | "remote"): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const rows = readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .map((row) => row.trim().split(/\s+/));
  return rows
    .filter(([, local, remote, state]) => state === "01" && (end === "local" ? local : remote)?.endsWith(`:${hex}`))
    .map(([, , , , , timer = ""]) => timer.slice(0, 2));
}

describe("TCP keepalive (RFC 9293 3.8.4)", () => {
  it.skipIf(process.platform !== "linux")(
    "runs on the sockets of visitors and of targets, so that those that vanish are found out (Linux: /proc/net/tcp)",
    async () => {
      const accepted: net.Socket[] = [];
      const target = net.createServer((socket) => {
        socket.on("error", () => {});
        accepted.push(socket);
      });
      servers.push(target);
      await new Promise<void>((resolve) => target.listen(0, "127.0.0.1", resolve));
      const to = (target.address() as net.AddressInfo).port;
      const tunnel = await tunnelTo(await listening());
      const { port = 0 } = await tunnel.forward({
        address: "127.0.0.1",
        port: 0,
        target: { host: "127.0.0.1", port: to },
      });
      const visitor = net.connect({ host: "127.0.0.1", port });
      visitor.on("error", () => {});
      await expect.poll(() => accepted.length).toBe(1);
      await expect.poll(() => kernelTimers(port, "local")).toEqual(["02"]);
      await expect.poll(() => kernelTimers(to, "remote")).toEqual(["02"]);
      visitor.destroy();
      for (const socket of accepted) socket.destroy();
      await tunnel.close();
    },
  );
});

describe("TunnelHost.close", () => {
  it("keeps its port if its options are invalid, and frees it otherwise", async () => {
    const host = await listening();
    await expect(host.close({ drainMs: "5" as unknown as number })).rejects.toMatchObject({ code: "misuse" });
    expect(await answers(host.port, "127.0.0.1")).toBe(true);
    await host.close({ drainMs: 0 });
    expect(await answers(host.port, "127.0.0.1")).toBe(false);
  });
});

describe("TunnelHost.listen", () => {
  it.each([{ port: "2222" }, { port: null }, { address: null }, { address: 5 }, { address: Promise.resolve("::") }])(
    "refuses %o",
    async (options) => {
      await expect(listening(options as never)).rejects.toMatchObject({ code: "misuse" });
    },
  );

  it("accepts clients on all addresses by default, and reports their addresses", async () => {
    const host = await listening();
    for (const address of ["127.0.0.1", "::1"]) {
      const tunnel = await tunnelTo(host, address);
      expect(host.clients[0]?.origin?.host).toBe(address);
      await tunnel.close();
      await expect.poll(() => host.clients).toEqual([]);
    }
    const near = await listening({ address: "127.0.0.1" });
    expect([await answers(near.port, "127.0.0.1"), await answers(near.port, "::1")]).toEqual([true, false]);
  });

  it("binds the same port in both families for port 0, and frees both", async () => {
    const tunnel = await tunnelTo(await listening());
    const forwarding = await tunnel.listen({ address: "localhost", port: 0 });
    const { port = 0 } = forwarding;
    expect([await answers(port, "127.0.0.1"), await answers(port, "::1")]).toEqual([true, true]);
    await forwarding.close();
    expect([await answers(port, "127.0.0.1"), await answers(port, "::1")]).toEqual([false, false]);
    await tunnel.close();
  });

  it.each(["127.0.0.1", "::1"])(
    "refuses a port that another server holds on %s only, and releases the other address",
    async (address) => {
      const taken = await held(address);
      const tunnel = await tunnelTo(await listening());
      const other = address === "::1" ? "127.0.0.1" : "::1";
      await expect(
        tunnel.listen({ address: "localhost", port: taken, signal: AbortSignal.timeout(1000) }),
      ).rejects.toThrow();
      expect(await answers(taken, other)).toBe(false);
      expect((await tunnel.listen({ address: other, port: taken })).port).toBe(taken);
      await tunnel.close();
    },
  );

  it("survives clients and visitors that reset at any time", async () => {
    const host = await listening();
    const tunnel = await tunnelTo(host);
    const { port = 0 } = await tunnel.forward({ port: 0, target: { host: "127.0.0.1", port: host.port } });
    for (let i = 0; i < 20; i++) {
      for (const to of [host.port, port]) {
        const socket = net.connect({ port: to, host: "127.0.0.1" });
        socket.on("error", () => {});
        await delay(i);
        if (socket.connecting) socket.destroy();
        else socket.resetAndDestroy();
      }
    }
    await expect.poll(() => host.clients.filter(({ user }) => user === undefined)).toEqual([]);
    await expect.poll(() => host.clients[0]?.channels).toBe(0);
    expect(await answers(port, "127.0.0.1")).toBe(true);
    await tunnel.close();
  });

  it("refuses a port permanently with a reason, and a busy port without one", async () => {
    const authorize = (): { permitListen: string[] } => ({ permitListen: ["localhost:*", "*:80"] });
    const tunnel = await tunnelTo(await listening({ authorize, limits: { forwardings: 1 } }));
    const taken = await held("127.0.0.1");
    const code = (port: number, address = "localhost"): Promise<unknown> =>
      tunnel.listen({ address, port }).then(
        () => "granted",
        (error: unknown) => (error as SshError).code,
      );
    expect(await code(taken)).toBe("refused");
    expect(await code(80)).toBe("denied");
    expect(await code(0, "")).toBe("denied");
    expect(await code(0)).toBe("granted");
    expect(await code(0)).toBe("denied");
    await tunnel.close();
  });

  it("aborts when its signal fires", async () => {
    const enough = new Error("enough");
    await expect(listening({ signal: AbortSignal.abort(enough) })).rejects.toBe(enough);
    const late = new AbortController();
    const host = await listening({ signal: late.signal });
    late.abort();
    expect(await answers(host.port, "127.0.0.1")).toBe(true);
    const early = new AbortController();
    const starting = listening({ signal: early.signal });
    early.abort(enough);
    await expect(starting).rejects.toBe(enough);
  });

  it("names the port if it is in use", async () => {
    const port = await held("127.0.0.1");
    await expect(listening({ port, address: "127.0.0.1" })).rejects.toMatchObject({
      code: "connect",
      message: expect.stringContaining(`127.0.0.1:${port}`),
    });
  });
});
