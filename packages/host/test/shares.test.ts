import type { BytePipe } from "@postern/ssh";
import { rejection } from "@postern/testkit";
import { policy } from "@postern/web";
import { DisconnectReason } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { clientMemory } from "../src/host-budget.ts";
import { forward, hostWorld } from "./world.ts";

const kib = 1024;
const authorize = policy({
  test: { password: "secret" },
  other: { password: "secret" },
  third: { password: "secret" },
  fourth: { password: "secret" },
});

describe("limits per user", () => {
  it("disconnects a user's connection beyond connectionsPerUser with reason 12 (RFC 4253 section 11.1)", async () => {
    const world = hostWorld({ authorize, limits: { connectionsPerUser: 2 } });
    const first = await Promise.all([world.client(), world.client()]);
    const refusal = world.event("refusal");
    const third = await world.client().then(
      async (client) => await rejection(client.closed),
      (error: unknown) => error,
    );
    expect(third).toMatchObject({ code: "disconnected", reason: DisconnectReason.TOO_MANY_CONNECTIONS });
    expect(await refusal).toMatchObject({ what: "login", limit: "connectionsPerUser" });
    const other = await world.client({ user: "other" });
    const closed = world.event("clientclosed");
    await first[0].close();
    await closed;
    await (await world.client()).close();
    await Promise.all([first[1].close(), other.close()]);
  });

  it("counts the ports of a user over all connections", async () => {
    const world = hostWorld({ authorize, limits: { forwardingsPerUser: 2 } });
    const [one, two] = await Promise.all([world.client(), world.client()]);
    const other = await world.client({ user: "other" });
    expect(await forward(one, "localhost", 3000)).toBe(3000);
    expect(await forward(two, "localhost", 3001)).toBe(3001);
    const refusal = world.event("refusal");
    expect(await forward(two, "localhost", 3002)).toBeUndefined();
    expect((await refusal).limit).toBe("forwardingsPerUser");
    expect(await forward(other, "localhost", 3003)).toBe(3003);
    const closed = world.event("clientclosed");
    await one.close();
    await closed;
    expect(await forward(two, "localhost", 3002)).toBe(3002);
    // A request that fails counts nothing.
    expect(await forward(other, "localhost", 3002)).toBeUndefined();
    await Promise.all([two.close(), other.close()]);
  });
});

describe("the memory of all clients", () => {
  it("refuses a new client once it is in use, and accepts one again when a client has left", async () => {
    const world = hostWorld({ authorize, limits: { totalMemory: 4 * clientMemory } });
    const [one, two, three, four] = await Promise.all(
      ["test", "other", "third", "fourth"].map(async (user) => await world.client({ user })),
    );
    const refusal = world.event("refusal");
    expect((await rejection(world.client())).code).toBe("busy");
    expect(await refusal).toMatchObject({ what: "connection", limit: "totalMemory" });
    const closed = world.event("clientclosed");
    await one?.close();
    await closed;
    const next = await world.client();
    await Promise.all([two, three, four, next].map(async (client) => await client?.close()));
  });

  it("refuses a client of a user who has a quarter of it, and serves others", async () => {
    const world = hostWorld({ authorize, limits: { totalMemory: 4 * clientMemory } });
    const first = await world.client();
    const refusal = world.event("refusal");
    const second = await world.client().then(
      async (client) => await rejection(client.closed),
      (error: unknown) => error,
    );
    expect(second).toMatchObject({ code: "disconnected", reason: DisconnectReason.TOO_MANY_CONNECTIONS });
    expect(await refusal).toMatchObject({ what: "login", limit: "totalMemory" });
    const other = await world.client({ user: "other" });
    await Promise.all([first.close(), other.close()]);
  });

  it("refuses visitors once it is in use, and all is free again when the clients have left", async () => {
    const world = hostWorld({ authorize, limits: { totalMemory: 4 * (clientMemory + 2 * 64 * kib) } });
    const client = await world.client({ onChannelOpen: (open) => open.accept().start(sink) });
    const port = (await forward(client, "localhost", 0)) ?? 0;
    const visitors = Array.from({ length: 2 }, () => world.network.visit(port));
    for (const visitor of visitors) visitor.start(sink);
    const refusal = world.event("refusal");
    world.network.visit(port).start(sink);
    expect(await refusal).toMatchObject({ what: "visitor", limit: "totalMemory" });
    const closed = world.event("clientclosed");
    await client.close();
    await closed;
    expect(world.host.metrics()).toContain("postern_host_memory_bytes 0\n");
  });
});

const sink = { data() {}, end() {}, drain() {}, closed() {} };

/** A visitor that sends as much as it can until `stop` is called. */
function flood(visitor: BytePipe): () => void {
  let stopped = false;
  const send = (): void => {
    while (!stopped && visitor.write(new Uint8Array(16 * kib)));
  };
  // Not in the same microtask, because everything else in memory runs in microtasks as well.
  visitor.start({ ...sink, drain: () => setImmediate(send) });
  send();
  return () => {
    stopped = true;
    visitor.abort();
  };
}

describe("fair shares", () => {
  it("serves seven small visitors while one of the same client floods: it gets a few shares, not all", async () => {
    const world = hostWorld({ authorize });
    const received: number[] = [];
    const ended: Promise<number>[] = [];
    const client = await world.client({
      onChannelOpen: (open) => {
        const index = received.push(0) - 1;
        ended.push(
          new Promise((resolve) => {
            open.accept().start({
              ...sink,
              data: (chunk) => {
                received[index] = (received[index] ?? 0) + chunk.length;
              },
              end: () => resolve(index),
            });
          }),
        );
      },
    });
    const port = (await forward(client, "localhost", 0)) ?? 0;
    const stop = flood(world.network.visit(port));
    await until(() => (received[0] ?? 0) > 1024 * kib);
    const before = received[0] ?? 0;
    const size = 512 * kib;
    for (let n = 0; n < 7; n++) sendAll(world.network.visit(port), size);
    await until(() => ended.length === 8);
    await Promise.all(ended.slice(1));
    const greedy = (received[0] ?? 0) - before;
    stop();
    expect(received.slice(1)).toEqual(Array.from({ length: 7 }, () => size));
    // A fair share would be one of eight: as much as each of the others. Buffers on the way add at most their sizes.
    expect(greedy).toBeLessThan(4 * size);
    await client.close();
  });

  it("serves another client while a client floods", async () => {
    const world = hostWorld({ authorize });
    let [greedy, small] = [0, 0];
    const flooding = await world.client({
      onChannelOpen: (open) =>
        open.accept().start({
          ...sink,
          data: (chunk) => {
            greedy += chunk.length;
          },
        }),
    });
    let isEnded = false;
    const other = await world.client({
      user: "other",
      onChannelOpen: (open) =>
        open.accept().start({
          ...sink,
          data: (chunk) => {
            small += chunk.length;
          },
          end: () => {
            isEnded = true;
          },
        }),
    });
    const ports = await Promise.all([flooding, other].map((client) => forward(client, "localhost", 0)));
    const stops = Array.from({ length: 8 }, () => flood(world.network.visit(ports[0] ?? 0)));
    await until(() => greedy > 4096 * kib);
    const before = greedy;
    const size = 512 * kib;
    sendAll(world.network.visit(ports[1] ?? 0), size);
    await until(() => isEnded);
    for (const stop of stops) stop();
    expect(small).toBe(size);
    // Eight flooding visitors of one client get no more than eight shares of the same size.
    expect(greedy - before).toBeLessThan(2 * 8 * size);
    await Promise.all([flooding.close(), other.close()]);
  });
});

/** Sends so many bytes as the pipe takes them, and ends. */
function sendAll(visitor: BytePipe, size: number): void {
  let left = size;
  const send = (): void => {
    while (left > 0) {
      const chunk = new Uint8Array(Math.min(left, 16 * kib));
      left -= chunk.length;
      if (!visitor.write(chunk)) return;
    }
    visitor.end();
  };
  visitor.start({ ...sink, drain: () => setImmediate(send) });
  send();
}

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; !condition(); turn++) {
    if (turn > 100_000) throw new Error("expected the condition to hold after 100,000 turns, it does not");
    await new Promise((resolve) => setImmediate(resolve));
  }
}
