/** A thousand cycles of connecting and losing the connection must not grow the memory of the process. */
import { password, ReverseTunnel } from "@postern/node";
import { bytesInUse } from "@postern/testkit";
import { describe, expect, it } from "vitest";
import { startHost } from "./harness/clients/host.ts";
import {
  atEnd,
  echo,
  exchange,
  leavesNothing,
  missing,
  openTunnel,
  pollOptions,
  resources,
  startMiddlebox,
  surplus,
  tunnelOptions,
} from "./harness/index.ts";

const MiB = 1024 * 1024;
const cycles = 1_000;
/**
 * The growth allowed for caches and compiled code. A leaked connection takes more than 10 KiB, and there are a
 * thousand.
 */
const allowed = 4 * MiB;

/** Replaces `expect.poll`, which keeps a record of each call until the test ends. */
async function waitUntil(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + pollOptions.timeout;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`expected the tunnel to come back within ${pollOptions.timeout} ms`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

// Both ends run in this process, so a leak of either is visible.
describe.skipIf(missing("ssh"))(`${cycles} cycles of connect and cut`, () => {
  leavesNothing();

  it("leave the heap at its size, and no handle", async () => {
    const server = await startHost();
    atEnd(() => server.stop());
    const box = await startMiddlebox(server.port);
    atEnd(() => box.stop());
    const { port } = await echo();
    const tunnel = await openTunnel(
      { ...server, port: box.port },
      { auth: [password(server.password)], reconnect: { intervalMs: 0 } },
    );
    atEnd(() => tunnel.close());
    const web = await tunnel.forward({ address: "127.0.0.1", port: 0, target: { host: "127.0.0.1", port } });
    const raw = await tunnel.listen({ address: "127.0.0.1", port: 0 });
    const loop = (async () => {
      for await (const channel of raw) channel.readable.pipeTo(channel.writable).catch(() => undefined);
    })();
    let done = 0;
    const cycle = async (): Promise<void> => {
      const visit = (to: number | undefined): Promise<unknown> =>
        exchange(to, "a visitor who may be interrupted").catch(() => undefined);
      // Some visitors finish, some are interrupted, and most cycles have none.
      const visits = done % 4 < 2 ? [visit(web.port), visit(raw.port)] : [];
      if (done % 4 === 0) await Promise.all(visits);
      if (done % 3 === 0) box.close();
      else box.reset();
      done++;
      await Promise.all(visits);
      await waitUntil(() => tunnel.stats().reconnects === done && web.state === "open" && raw.state === "open");
    };
    // The first cycles fill caches and compile code.
    for (let warm = 0; warm < 100; warm++) await cycle();
    const [before, handles] = [await bytesInUse(), resources()];
    for (let i = 0; i < cycles; i++) await cycle();
    const after = await bytesInUse();
    expect(after - before).toBeLessThan(allowed);
    expect(surplus(handles)).toEqual([]);
    expect([tunnel.stats().reconnects, tunnel.timeline.length]).toEqual([cycles + 100, 100]);
    await tunnel.close();
    await loop;
  });

  it("leave the heap at its size if each login fails", async () => {
    const server = await startHost();
    atEnd(() => server.stop());
    const box = await startMiddlebox(server.port);
    atEnd(() => box.stop());
    const outcomes = new Map<string, number>();
    const options = await tunnelOptions(
      { ...server, port: box.port },
      { auth: [password(server.password)], reconnect: { mode: "never" } },
    );
    const attempt = async (round: number): Promise<void> => {
      const tunnel = new ReverseTunnel(options);
      const way = round % 2 === 0 ? "c2s" : "s2c";
      box.cutNext({ way, cut: round % 3 === 0 ? "close" : "reset", after: { bytes: (round * 37) % 700 } });
      const code = await tunnel.connect().then(
        () => "open",
        (error: { readonly code: string }) => error.code,
      );
      outcomes.set(code, (outcomes.get(code) ?? 0) + 1);
      await tunnel.close();
    };
    for (let warm = 0; warm < 100; warm++) await attempt(warm);
    const [before, handles] = [await bytesInUse(), resources()];
    for (let round = 0; round < cycles; round++) await attempt(round);
    expect((await bytesInUse()) - before).toBeLessThan(allowed);
    expect(surplus(handles)).toEqual([]);
    expect([...outcomes.keys()].filter((code) => !["closed", "version"].includes(code))).toEqual([]);
  });
});
