/** The option `tap` of a tunnel: one tap for each connection. */
import { password } from "@postern/auth";
import { rejection } from "@postern/testkit";
import { describe, expect, it } from "vitest";
import { type Endpoint, ReverseTunnel, type TunnelOptions } from "../src/index.ts";
import { Network } from "./world/network.ts";

function tunnelThrough(network: Network, tap: TunnelOptions["tap"]): ReverseTunnel {
  const tunnel = new ReverseTunnel(
    {
      host: "server",
      user: "server",
      auth: password("server"),
      hostKey: () => true,
      via: [{ host: "a", port: 2200, user: "a", auth: password("a") }],
      reconnect: { mode: "never" },
      keepAlive: { intervalMs: 0 },
      ...(tap && { tap }),
    },
    network,
  );
  tunnel.closed.catch(() => {});
  return tunnel;
}

describe("the option tap", () => {
  it("is called for each jump host and the server, and each tap sees its connection alone", async () => {
    const network = new Network("a", "server");
    const seen = new Map<string, string[]>();
    const tunnel = tunnelThrough(network, ({ host, port }: Endpoint) => {
      const lines: string[] = [];
      seen.set(`${host}:${port}`, lines);
      return { packet: ({ direction, payload }) => lines.push(`${direction} ${payload[0]}`) };
    });
    await tunnel.connect();
    await tunnel.close();
    expect([...seen.keys()]).toEqual(["a:2200", "server:22"]);
    const [jump = [], server = []] = seen.values();
    // CHANNEL_OPEN leads from the jump host to the server, to which none is sent.
    expect(jump).toContain("sent 90");
    expect(server).not.toContain("sent 90");
    for (const lines of [jump, server]) expect(lines.filter((line) => line === "sent 50")).toHaveLength(1);
  });

  it("fails the attempt if it throws, without a connection", async () => {
    const network = new Network("a", "server");
    const tunnel = tunnelThrough(network, () => {
      throw new Error("no log for you");
    });
    const error = await rejection(tunnel.connect());
    expect(error).toMatchObject({ code: "connect", cause: { message: "no log for you" } });
    expect(network.reached).toEqual([]);
    expect(network.open).toBe(0);
  });

  it("may return undefined", async () => {
    const tunnel = tunnelThrough(new Network("a", "server"), () => undefined);
    await tunnel.connect();
    await tunnel.close();
  });
});
