/** Log records and metrics of a tunnel. */
import type { LogRecord } from "@postern/ssh";
import { turns } from "@postern/testkit";
import { describe, expect, it } from "vitest";
import { logTunnel, packetLog, tunnelMetrics, tunnelsMetrics } from "../src/index.ts";
import { advance, onVirtualClock, openTunnel, target, tunnelTo, World } from "./world/index.ts";

onVirtualClock();

describe("logTunnel", () => {
  it("records the life of a tunnel, with the algorithms and without a secret", async () => {
    const world = new World();
    const records: LogRecord[] = [];
    const { tunnel } = tunnelTo(world);
    logTunnel(tunnel, (record) => records.push(record));
    await tunnel.connect();
    await tunnel.forward({ port: 8080, target });
    world.targets.set("target:80", "refuse");
    await world.visit(8080).catch(() => {});
    world.link.cut();
    await advance(5_000);
    await tunnel.close();
    expect(records.map(({ level, event, state }) => `${level} ${event} ${String(state ?? "")}`)).toEqual([
      "debug state connecting",
      "debug state authenticating",
      "info banner ",
      "info state open",
      "info forwarding open",
      "warn visitorerror ",
      "warn state waiting",
      "warn forwarding pending",
      "info reconnectattempt ",
      "debug state connecting",
      "debug state authenticating",
      "info banner ",
      "info state open",
      "info forwarding open",
      "info forwarding closed",
      "info state closed",
    ]);
    expect(records[3]).toMatchObject({ server: expect.stringContaining("SSH-2.0-"), strict: true });
    expect(records[5]).toMatchObject({ address: "localhost", port: 8080, originHost: "192.0.2.99", originPort: 4711 });
    expect(records[6]).toMatchObject({ code: "closed", reason: expect.any(String) });
    expect(JSON.stringify(records)).not.toContain("secret");
  });

  it("does not let a log that throws change the tunnel", async () => {
    const { tunnel } = tunnelTo(new World());
    logTunnel(tunnel, () => {
      throw new Error("disk full");
    });
    await tunnel.connect();
    expect(tunnel.state).toBe("open");
  });
});

describe("packetLog", () => {
  it("records each packet by name, without the password and the data", async () => {
    const world = new World();
    const records: LogRecord[] = [];
    const { tunnel } = await openTunnel(world, {
      tap: (server) => packetLog((record) => void records.push(record), server),
    });
    const listener = await tunnel.listen({ port: 8080 });
    const visitor = await world.visit(8080);
    const channel = (await listener[Symbol.asyncIterator]().next()).value;
    const reader = channel?.readable.getReader();
    visitor.write(new TextEncoder().encode("private data"));
    await reader?.read();
    await turns();
    const messages = records.map(({ message }) => message);
    expect(messages[0]).toMatch(/^(?:send|receive) SSH-2\.0-/);
    expect(messages).toContainEqual(expect.stringMatching(/^send KEXINIT \(20\): .*chacha20-poly1305@openssh\.com/));
    expect(messages).toContainEqual(
      expect.stringMatching(/^send USERAUTH_REQUEST \(50\): password, service ssh-connection, /),
    );
    expect(messages).toContainEqual(expect.stringMatching(/^receive CHANNEL_OPEN \(90\): forwarded-tcpip, /));
    expect(messages).toContainEqual(expect.stringMatching(/^receive CHANNEL_DATA \(94\): .*, \d+ bytes$/));
    const all = JSON.stringify(records);
    expect(all).not.toContain("secret");
    expect(all).not.toContain("user test");
    expect(all).not.toContain("private data");
    expect(records.at(-1)).toMatchObject({ level: "debug", event: "packet", host: "host", port: 22 });
  });
});

describe("tunnelMetrics", () => {
  it("returns OpenMetrics text of the state and the figures", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world);
    await tunnel.listen({ port: 8080 });
    await world.visit(8080);
    const text = tunnelMetrics(tunnel);
    const lines = text.split("\n");
    expect(lines).toContain('postern_tunnel_state{state="open"} 1');
    expect(lines).toContain('postern_tunnel_state{state="closed"} 0');
    expect(lines).toContain("postern_tunnel_forwardings 1");
    expect(lines).toContain("postern_tunnel_visitors_accepted_total 1");
    expect(lines).toContain("postern_tunnel_reconnects_total 0");
    expect(text.endsWith("# EOF\n")).toBe(true);
  });

  it("has each family once for several tunnels, with their names as labels (OpenMetrics 1.0)", async () => {
    const [first, second] = await Promise.all([openTunnel(new World()), openTunnel(new World())]);
    const tunnels = { "a shop": first.tunnel, wiki: second.tunnel };
    const lines = tunnelsMetrics(new Map(Object.entries(tunnels))).split("\n");
    const at = lines.indexOf('postern_tunnel_forwardings{tunnel="a shop"} 0');
    expect(lines[at + 1]).toBe('postern_tunnel_forwardings{tunnel="wiki"} 0');
    expect(lines).toContain('postern_tunnel_state{tunnel="wiki",state="open"} 1');
    expect(lines.filter((line) => line.startsWith("# TYPE postern_tunnel_state "))).toHaveLength(1);
    expect(lines.slice(-2)).toEqual(["# EOF", ""]);
  });
});
