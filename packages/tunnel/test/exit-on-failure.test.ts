/** `exitOnForwardFailure`: whether a refused port ends the tunnel. */
import { turns } from "@postern/testkit";
import { describe, expect, it, vi } from "vitest";
import { advance, onVirtualClock, openTunnel, outcome, tunnelTo, World } from "./world/index.ts";

onVirtualClock();

/** Cuts, and waits until the tunnel has reconnected. */
async function comeBack(world: World): Promise<void> {
  world.link.cut();
  await advance(5_000);
}

const exit = { exitOnForwardFailure: true };

describe("exitOnForwardFailure", () => {
  it("ends the tunnel with the error if a policy refuses a forwarding after a reconnection", async () => {
    const world = new World();
    const { tunnel, events } = await openTunnel(world, exit);
    const denied = await tunnel.listen({ port: 7001 });
    const other = await tunnel.listen({ port: 7002 });
    world.portAnswer = (_, port) => (port === 7001 ? "denied" : "listen");
    events.length = 0;
    await comeBack(world);
    expect(await outcome(tunnel.closed)).toBe("denied");
    expect(await outcome(denied.closed)).toBe("denied");
    expect(await outcome(other.closed)).toBe("denied");
    expect(events.filter((text) => text.startsWith("localhost:7001"))).toEqual([
      "localhost:7001 pending (closed)",
      "localhost:7001 closed (denied)",
    ]);
    expect(events.at(-1)).toBe("closed (denied)");
    expect(tunnel.forwardings).toEqual([]);
  });

  it("disconnects from the server, and leaves nothing behind", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world, exit);
    await tunnel.listen({ port: 7001 });
    world.portAnswer = () => "denied";
    await comeBack(world);
    expect(await outcome(world.link.connection.closed)).toBe("disconnected");
    await advance(60_000);
    expect(world.dials).toHaveLength(2);
    expect(vi.getTimerCount()).toBe(0);
    await tunnel.close();
  });

  it("ends the tunnel if the server returns no port after a reconnection", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world, exit);
    await tunnel.listen({ port: 0 });
    world.portAnswer = (_, port) => (port === 0 ? "no port" : "busy");
    await comeBack(world);
    expect(await outcome(tunnel.closed)).toBe("protocol");
  });

  it.each([
    ["busy", "refused"],
    ["denied", "denied"],
    ["no port", "protocol"],
  ] as const)("ends the tunnel if a first request is refused (%s)", async (answer, code) => {
    const world = new World();
    world.portAnswer = () => answer;
    const { tunnel } = await openTunnel(world, exit);
    const request = tunnel.listen({ port: 0 });
    expect(await outcome(request)).toBe(code);
    expect(await outcome(tunnel.closed)).toBe(code);
    expect(await request.catch((error: unknown) => error)).toBe(await tunnel.closed.catch((error: unknown) => error));
    expect(tunnel.state).toBe("closed");
  });

  it("ends the tunnel if a request during login is refused", async () => {
    const world = new World();
    world.portAnswer = () => "denied";
    const { tunnel, events } = tunnelTo(world, exit);
    const [login, request] = [tunnel.connect(), tunnel.listen({ port: 7001 })];
    expect(await Promise.all([outcome(login), outcome(request)])).toEqual(["resolved", "denied"]);
    expect(events).toEqual(["connecting", "authenticating", "open", "closed (denied)"]);
  });

  it("retries a port that is still taken after a reconnection", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world, exit);
    const forwarding = await tunnel.listen({ port: 7001 });
    world.portAnswer = (_address, _port, attempt) => (attempt < 5 ? "busy" : "listen");
    await comeBack(world);
    expect([tunnel.state, forwarding.state]).toEqual(["open", "pending"]);
    await advance(10_000);
    expect([tunnel.state, forwarding.state]).toEqual(["open", "open"]);
  });

  it("does not end the tunnel for a caller's mistake, an aborted call, a lost connection or close()", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world, exit);
    const forwarding = await tunnel.listen({ port: 7001 });
    expect(await outcome(tunnel.listen({ port: 7001 }))).toBe("misuse");
    world.portAnswer = () => "hold";
    const abort = new AbortController();
    const aborted = tunnel.listen({ port: 7002, signal: abort.signal });
    await turns();
    abort.abort();
    expect(await outcome(aborted)).toBe("AbortError");
    const lost = tunnel.listen({ port: 7003 });
    lost.catch(() => {});
    await turns();
    world.portAnswer = () => "listen";
    await comeBack(world);
    expect(await outcome(lost)).not.toBe("unsettled");
    await forwarding.close();
    expect(tunnel.state).toBe("open");
  });
});

it("ends only the forwarding by default", async () => {
  const world = new World();
  const { tunnel } = await openTunnel(world);
  const forwarding = await tunnel.listen({ port: 7001 });
  world.portAnswer = () => "denied";
  await comeBack(world);
  expect(await outcome(forwarding.closed)).toBe("denied");
  expect(await outcome(tunnel.listen({ port: 7001 }))).toBe("denied");
  expect(tunnel.state).toBe("open");
});
