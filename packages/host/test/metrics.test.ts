import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { password } from "@postern/auth";
import { rejection } from "@postern/testkit";
import { describe, expect, it } from "vitest";
import { healthHandler } from "../src/index.ts";
import { ask, echoing, forward, hostWorld } from "./world.ts";

/** Reads OpenMetrics text strictly. Returns the value of each sample by its name and labels. */
function read(text: string): ReadonlyMap<string, number> {
  const samples = new Map<string, number>();
  const lines = text.split("\n");
  expect(lines.splice(-2)).toEqual(["# EOF", ""]);
  let [family, type] = ["", ""];
  for (const line of lines) {
    const meta = /^# (TYPE|HELP) (\S+) (.+)$/.exec(line);
    if (meta !== null) {
      const [, what, name = "", rest = ""] = meta;
      if (what === "TYPE") [family, type] = [name, rest];
      else expect(name).toBe(family);
      continue;
    }
    const [, name, value] = /^(\S+?(?:\{[^}]*\})?) (\d+)$/.exec(line) ?? [];
    expect(name?.replace(/\{.*/, "")).toBe(type === "counter" ? `${family}_total` : family);
    expect(samples.has(name ?? "")).toBe(false);
    samples.set(name ?? "", Number(value));
  }
  return samples;
}

describe("host.metrics()", () => {
  it("counts connections, logins, forwardings, visitors, channels, bytes and rekeys", async () => {
    const world = hostWorld({ limits: { penalties: false } });
    expect(read(world.host.metrics()).get("postern_host_connections_total")).toBe(0);
    await rejection(world.client({ auth: [password("wrong")] }));
    const client = await world.client({ onChannelOpen: echoing() });
    const port = (await forward(client, "localhost", 0)) ?? 0;
    expect(await ask(world.network.visit(port), "hello")).toBe("hello");
    const visitor = world.network.visit(port);
    visitor.start({ data() {}, end() {}, drain() {}, closed() {} });
    client.rekey();
    await forward(client, "localhost", 80);
    const open = read(world.host.metrics());
    const expected = {
      connections_total: 2,
      'clients{state="login"}': 0,
      'clients{state="ready"}': 1,
      'logins_total{method="password",outcome="accepted"}': 1,
      'logins_total{method="password",outcome="refused"}': 1,
      'refusals_total{what="login",limit="none"}': 1,
      'refusals_total{what="forwarding",limit="lowestPort"}': 1,
      forwardings_opened_total: 1,
      forwardings: 1,
      visitors_accepted_total: 2,
      visitors: 1,
      channels: 1,
      rekeys_total: 1,
      takeovers_total: 0,
    };
    for (const [name, value] of Object.entries(expected))
      expect([name, open.get(`postern_host_${name}`)]).toEqual([name, value]);
    expect(open.get("postern_host_memory_bytes")).toBeGreaterThan(256 * 1024);

    visitor.abort();
    const closed = world.event("clientclosed");
    await client.close();
    await closed;
    const after = read(world.host.metrics());
    for (const name of ["received_bytes_total", "sent_bytes_total", "rekeys_total", "connections_total"]) {
      const before = open.get(`postern_host_${name}`) ?? 0;
      expect(before).toBeGreaterThan(0);
      // Bytes and rekeys of clients that have disconnected still count.
      expect(after.get(`postern_host_${name}`)).toBeGreaterThanOrEqual(before);
    }
    for (const name of ["forwardings", "visitors", "channels", "memory_bytes"])
      expect([name, after.get(`postern_host_${name}`)]).toEqual([name, 0]);
  });

  it("has no label that a peer can choose: many users and addresses add no sample", async () => {
    const world = hostWorld({ limits: { penalties: false } });
    await rejection(world.client({ user: "first", auth: [password("wrong")] }));
    const { size } = read(world.host.metrics());
    for (let n = 0; n < 10; n++) {
      const origin = { host: `192.0.2.${n}`, port: n };
      await rejection(world.client({ user: `user ${n}\n"`, auth: [password("wrong")], origin }));
    }
    expect(read(world.host.metrics()).size).toBe(size);
  });
});

describe("healthHandler", () => {
  it("answers a Request by path and method", async () => {
    const { host } = hostWorld();
    const health = healthHandler(host);
    const get = (path: string, method = "GET"): Response => health(new Request(`http://host${path}`, { method }));
    expect(get("/health").status).toBe(200);
    expect(await get("/health?x").json()).toEqual({ state: "open", clients: 0 });
    expect(get("/metrics").headers.get("content-type")).toBe(
      "application/openmetrics-text; version=1.0.0; charset=utf-8",
    );
    expect(await get("/metrics").text()).toBe(host.metrics());
    expect(await get("/metrics", "HEAD").text()).toBe("");
    expect([get("/").status, get("/health/x").status, get("/health", "POST").status]).toEqual([404, 404, 405]);
    await host.close();
    expect(get("/health").status).toBe(503);
  });

  it("answers requests of node:http", async () => {
    const health = healthHandler(hostWorld().host);
    const server = createServer((request, response) => {
      const answer = health(request);
      const head = response.writeHead(answer.status, Object.fromEntries(answer.headers));
      void answer.text().then((body) => head.end(body));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
      expect(read(await answer.text()).size).toBeGreaterThan(10);
      expect((await fetch(`http://127.0.0.1:${port}/other`)).status).toBe(404);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
