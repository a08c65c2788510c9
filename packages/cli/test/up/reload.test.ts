import { renameSync, writeFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { cleanUp, everythingOpen, portOf, start, startHost, startTarget, tunnelTo, visit } from "./world.ts";

afterEach(cleanUp);

describe("a reload of postern up", () => {
  it("keeps the connections of tunnels and forwardings that stay the same", async () => {
    const host = await startHost();
    const [first, second] = await Promise.all([startTarget("first"), startTarget("second")]);
    const kept = { port: 0, target: first };
    const { up, until, write } = await start({
      watch: false,
      tunnels: {
        shop: tunnelTo(host.port, { forwards: [kept, { port: 0, target: second, keepPort: true }] }),
        wiki: tunnelTo(host.port, { forwards: [kept] }),
        old: tunnelTo(host.port, { forwards: [kept] }),
      },
    });
    const before = await until("shop", everythingOpen);
    await until("wiki", everythingOpen);
    const old = portOf(await until("old", everythingOpen));
    const visitor = await visit(portOf(before, 0));
    expect(host.clients).toHaveLength(3);
    const clients = new Set(host.clients);

    write({
      watch: false,
      tunnels: {
        shop: tunnelTo(host.port, { forwards: [kept, { port: 0, target: second }] }),
        wiki: tunnelTo(host.port, { forwards: [kept] }),
        added: tunnelTo(host.port, { forwards: [kept] }),
      },
    });
    await up.reload();
    const after = await until("shop", everythingOpen);
    await until("added", everythingOpen);
    expect(portOf(after, 0)).toBe(portOf(before, 0));
    expect(after.reconnects).toBe(0);
    expect(visitor.socket.destroyed).toBe(false);
    expect((await visit(portOf(after, 1))).text).toBe("second");
    // The port of the other forwarding was freed, and that of the removed tunnel.
    if (portOf(after, 1) !== portOf(before, 1)) await expect(visit(portOf(before, 1))).rejects.toThrow();
    await expect(visit(old)).rejects.toThrow();
    expect(up.status().tunnels.map(({ name }) => name)).toEqual(["shop", "wiki", "added"]);
    expect(host.clients.filter((client) => clients.has(client)).length).toBeGreaterThanOrEqual(2);
  });

  it("connects again if the options of the connection have changed", async () => {
    const host = await startHost();
    const target = await startTarget("shop");
    const tunnel = tunnelTo(host.port, { forwards: [{ port: 0, target }] });
    const { up, until, write, records } = await start({ watch: false, tunnels: { shop: tunnel } });
    await until("shop", everythingOpen);
    const [client] = host.clients;
    write({ watch: false, tunnels: { shop: { ...tunnel, keepAlive: { intervalMs: 1000 } } } });
    await up.reload();
    await until("shop", everythingOpen);
    expect(host.clients).not.toContain(client);
    expect(records.filter(({ event }) => event === "ended")).toEqual([]);
  });

  it("keeps the old configuration if the new one has a mistake, and says so", async () => {
    const host = await startHost();
    const target = await startTarget("shop");
    const config = { tunnels: { shop: tunnelTo(host.port, { forwards: [{ port: 0, target }] }) }, watch: false };
    const { up, until, write, records, notifier, file } = await start(config);
    await until("shop", everythingOpen);
    write('{ "tunnels": {\n  "shop": }\n}');
    await up.reload();
    const message = `${file}: expected JSON, got a mistake at line 2, column 11`;
    expect(up.status().configError).toBe(message);
    expect(records.at(-1)).toMatchObject({ level: "error", message: `the configuration is not used: ${message}` });
    // The first report that all is open may come in between.
    expect(notifier.messages).toContain("reloading");
    expect(notifier.messages.at(-1)).toBe("ready 1 of 1 tunnels are open; the changed file has a mistake");
    await until("shop", everythingOpen);
    write(config);
    await up.reload();
    expect(up.status().configError).toBeUndefined();
  });

  it("happens by itself when an editor replaces the file", async () => {
    const host = await startHost();
    const target = await startTarget("shop");
    const shop = tunnelTo(host.port, { forwards: [{ port: 0, target }] });
    const { up, until, file } = await start({ tunnels: { shop } });
    await until("shop", everythingOpen);
    await new Promise((resolve) => setTimeout(resolve, 20));
    writeFileSync(`${file}.new`, JSON.stringify({ tunnels: { shop, wiki: shop } }));
    renameSync(`${file}.new`, file);
    await until("wiki", everythingOpen);
    expect(up.status().tunnels.map(({ reconnects }) => reconnects)).toEqual([0, 0]);
  });

  it("starts tunnels again that were stopped or have failed, if it is asked to", async () => {
    const host = await startHost();
    const target = await startTarget("shop");
    const shop = tunnelTo(host.port, { forwards: [{ port: 0, target }] });
    const { up, until } = await start({ watch: false, tunnels: { shop, wiki: shop } });
    await until("shop", everythingOpen);
    await until("wiki", everythingOpen);
    await up.handle({ command: "down", names: ["shop"] });
    expect(up.status().tunnels.map(({ state }) => state)).toEqual(["stopped", "open"]);
    await up.reload();
    expect(up.status().tunnels.map(({ state }) => state)).toEqual(["stopped", "open"]);
    await up.reload({ restart: true });
    await until("shop", everythingOpen);
  });

  it("of a tunnel that waits to connect is no error", async () => {
    const host = await startHost();
    const target = await startTarget("shop");
    const port = host.port;
    await host.close();
    const { up, until, write, records } = await start({
      watch: false,
      tunnels: { shop: tunnelTo(port, { forwards: [{ port: 0, target }], local: [{ port: 0, target }] }) },
    });
    await until("shop", ({ state }) => state === "waiting");
    const before = records.length;
    write({
      watch: false,
      tunnels: { shop: tunnelTo(port, { forwards: [{ port: 0, target }], keepAlive: { intervalMs: 1000 } }) },
    });
    await up.reload();
    await until("shop", ({ state }) => state === "waiting");
    const closed = records.slice(before).filter(({ state }) => state === "closed");
    expect(closed.map(({ level }) => level)).toEqual(["info"]);
    expect(records.filter(({ level }) => level === "error")).toEqual([]);
  });
});
