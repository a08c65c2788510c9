import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { formatStatus } from "../../src/up/status.ts";
import {
  cleanUp,
  everythingOpen,
  portOf,
  secret,
  start,
  startHost,
  startTarget,
  temporaryFolder,
  tunnelTo,
  visit,
} from "./world.ts";

afterEach(cleanUp);

describe("postern up", () => {
  it("opens remote, local and dynamic forwardings, and leads visitors to their targets", async () => {
    const host = await startHost();
    const target = await startTarget("shop");
    const { until } = await start({
      tunnels: {
        shop: tunnelTo(host.port, {
          forwards: [{ port: 0, target }],
          local: [{ port: 0, target }],
          dynamic: [{ port: 0 }],
        }),
      },
    });
    const status = await until("shop", everythingOpen);
    expect(status.forwardings.map(({ type }) => type)).toEqual(["remote", "local", "dynamic"]);
    expect((await visit(portOf(status, 0))).text).toBe("shop");
    expect((await visit(portOf(status, 1))).text).toBe("shop");
    const { visitors, bytesOut } = await until("shop", (one) => one.visitors === 2);
    expect([visitors, bytesOut]).toEqual([2, 8]);
  });

  it("keeps a tunnel whose server is down for later, and the others go on", async () => {
    const host = await startHost();
    const target = await startTarget("shop");
    const free = await freePort();
    const { until, notifier } = await start({
      tunnels: {
        shop: tunnelTo(host.port, { forwards: [{ port: 0, target }] }),
        wiki: tunnelTo(free, { forwards: [{ port: 0, target }] }),
      },
    });
    await until("shop", everythingOpen);
    await until("wiki", ({ state }) => state === "waiting");
    await settled(() => notifier.messages.some((one) => one.startsWith("ready")));
    expect(notifier.messages).toContain("ready 1 of 2 tunnels are open; wiki: waiting");
    expect(notifier.isAlive()).toBe(true);
    await startHost(free);
    await until("wiki", everythingOpen);
    await settled(() => notifier.messages.at(-1) === "status 2 of 2 tunnels are open");
  });

  it("requests a port again that is taken, and shows why it is not open", async () => {
    const host = await startHost();
    const target = await startTarget("shop");
    const blocker = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => blocker.once("listening", resolve));
    const { port } = blocker.address() as { readonly port: number };
    const { until } = await start({
      tunnels: { shop: tunnelTo(host.port, { forwards: [{ port, target }] }) },
    });
    const { forwardings } = await until("shop", (one) => one.forwardings[0]?.error !== undefined);
    expect(forwardings[0]?.state).toBe("pending");
    blocker.close();
    await until("shop", everythingOpen);
  });

  it("ends with 255 if every tunnel has failed for good", async () => {
    const host = await startHost();
    const target = await startTarget("shop");
    const { up, records } = await start({
      tunnels: { shop: tunnelTo(host.port, { user: "nobody", forwards: [{ port: 0, target }] }) },
    });
    expect(await up.ended).toBe(255);
    expect(records.at(-1)?.message).toBe("every tunnel has failed");
  });

  it("shows no secret in its status, its table, its metrics and its log", async () => {
    const host = await startHost();
    const target = await startTarget("shop");
    const folder = temporaryFolder();
    writeFileSync(join(folder, "password"), `${secret}\n`, { mode: 0o600 });
    const { up, until, records } = await start(
      {
        log: { level: "debug" },
        health: { port: 0 },
        tunnels: {
          shop: tunnelTo(host.port, { password: { file: "password" }, forwards: [{ port: 0, target }] }),
          wrong: tunnelTo(host.port, { user: "nobody", forwards: [{ port: 0, target }] }),
          proxy: tunnelTo(host.port, { proxy: `socks5://me:${secret}@127.0.0.1:1`, forwards: [{ port: 0, target }] }),
        },
      },
      folder,
    );
    await until("shop", everythingOpen);
    await until("wrong", ({ state }) => state === "failed");
    await until("proxy", ({ state }) => state === "waiting");
    const at = `http://127.0.0.1:${up.healthPort()}`;
    const pages = await Promise.all(["/healthz", "/metrics"].map(async (path) => (await fetch(at + path)).text()));
    const shown = [
      JSON.stringify(up.status()),
      formatStatus(up.status(), Date.now()),
      JSON.stringify(records),
      ...pages,
    ];
    expect(shown.join("\n")).toContain("shop");
    expect(shown.join("\n")).not.toContain(secret);
  });

  it("refuses the file of a secret that others can read", async () => {
    const host = await startHost();
    const folder = temporaryFolder();
    writeFileSync(join(folder, "password"), secret, { mode: 0o644 });
    const target = await startTarget("shop");
    const { up, records } = await start(
      { tunnels: { shop: tunnelTo(host.port, { password: { file: "password" }, forwards: [{ port: 0, target }] }) } },
      folder,
    );
    expect(await up.ended).toBe(255);
    expect(JSON.stringify(records)).toContain("got permissions 0644: run chmod 600");
  });

  it("answers /healthz with 200 only if all forwardings are open, and /metrics with all tunnels", async () => {
    const host = await startHost();
    const target = await startTarget("shop");
    const { up, until } = await start({
      health: { port: 0 },
      tunnels: {
        shop: tunnelTo(host.port, { forwards: [{ port: 0, target }] }),
        guest: tunnelTo(host.port, { user: "guest", forwards: [{ port: 0, target }] }),
      },
    });
    await until("shop", everythingOpen);
    await until("guest", ({ forwardings }) => forwardings[0]?.state === "failed");
    const at = `http://127.0.0.1:${up.healthPort()}`;
    const sick = await fetch(`${at}/healthz`);
    expect(sick.status).toBe(503);
    expect(await sick.json()).toEqual({
      status: "degraded",
      tunnels: {
        shop: { state: "open", forwardings: 1, open: 1 },
        guest: { state: "open", forwardings: 1, open: 0 },
      },
    });
    const metrics = await (await fetch(`${at}/metrics`)).text();
    expect(metrics).toContain(
      'postern_tunnel_forwardings{tunnel="shop"} 1\npostern_tunnel_forwardings{tunnel="guest"} 0',
    );
    expect(metrics.match(/# TYPE postern_tunnel_state/g)).toHaveLength(1);
    await up.reload();
    expect((await fetch(`${at}/healthz`, { method: "POST" })).status).toBe(405);
    expect((await fetch(`${at}/`)).status).toBe(404);
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { readonly port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function settled(fits: () => boolean): Promise<void> {
  while (!fits()) await new Promise((resolve) => setTimeout(resolve, 5));
}
