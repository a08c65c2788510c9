/** The heap that hostile visitors of a SOCKS forwarding, and the clients of a local port, make us hold. */
import type { Channel } from "@postern/ssh";
import { bytesInUse, pipePair, turns } from "@postern/testkit";
import { utf8 } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { afterEach, describe, expect, it } from "vitest";
import { createLocalForwarder, createSpecialTargets, type LocalListen } from "../src/index.ts";
import { afterTest, openTunnel, tunnelTo, World } from "./world/index.ts";

const MiB = 1024 * 1024;

afterEach(async () => {
  for (const end of afterTest.splice(0).reverse()) end();
  await turns();
});

async function proxy(allow: () => boolean | Promise<boolean>) {
  const world = Object.assign(new World(), { specialTargets: createSpecialTargets({ dialsPaths: false }) });
  const { tunnel } = await openTunnel(world, { keepAlive: { intervalMs: 0 } });
  const forwarding = await tunnel.forward({ port: 1080, target: "socks", allow });
  return { world, forwarding };
}

/** Writes as much as the other side's window takes. Returns the number of bytes that left. */
async function push(channel: Channel, bytes: Uint8Array): Promise<number> {
  channel.start({ data() {}, end() {}, drain() {}, closed() {} });
  while (channel.write(bytes)) await turns();
  await turns();
  return channel.counters.bytesOut;
}

describe("a flood of SOCKS visitors", () => {
  it("is held up to the window of each visitor while it has no target", async () => {
    const { world, forwarding } = await proxy(() => new Promise<boolean>(() => {}));
    const before = await bytesInUse();
    let sent = 0;
    const visitors = 4;
    for (let visitor = 0; visitor < visitors; visitor++) {
      const channel = await world.visit(1080);
      channel.write(Uint8Array.of(5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, 0, 80));
      sent += await push(channel, new Uint8Array(16 * 1024));
    }
    expect(forwarding.stats().open).toBe(visitors);
    // One chunk may be taken from the window before reading pauses.
    expect(sent).toBeLessThanOrEqual(visitors * (Limits.window + 2 * Limits.maxPacket));
    expect((await bytesInUse()) - before).toBeLessThan(sent + 4 * MiB);
  });

  it("leaves nothing behind, whatever it sends and whenever it leaves", async () => {
    const { world, forwarding } = await proxy(() => false);
    const attacks = [
      utf8("GET / HTTP/1.1\r\n\r\n"),
      Uint8Array.of(5, 1, 2),
      Uint8Array.of(5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, 0, 80),
      new Uint8Array(30_000).fill(4),
      Uint8Array.of(5, 255),
    ];
    const round = async (): Promise<void> => {
      for (const attack of attacks) {
        const channel = await world.visit(1080);
        channel.start({ data() {}, end() {}, drain() {}, closed() {} });
        channel.write(attack);
        await turns();
        channel.abort();
      }
      await turns();
    };
    for (let warm = 0; warm < 20; warm++) await round();
    const before = await bytesInUse();
    for (let rounds = 0; rounds < 50; rounds++) await round();
    expect(forwarding.stats().open).toBe(0);
    // 250 visitors; one that is kept costs more than 4 KiB.
    expect((await bytesInUse()) - before).toBeLessThan(MiB);
  });
});

describe("the clients of a local port", () => {
  it("leave nothing behind while the tunnel stays away", async () => {
    let arrive: Parameters<LocalListen>[1] = () => {};
    const listen: LocalListen = async (_, onClient) => {
      arrive = onClient;
      return { port: 1, setRef() {}, close: async () => {} };
    };
    const world = Object.assign(new World(), { local: createLocalForwarder(listen) });
    const { tunnel } = tunnelTo(world, { targetTimeoutMs: 1 });
    const local = await tunnel.forwardLocal({ port: 1, target: { host: "web", port: 80 } });
    const proxied = await tunnel.socks({ port: 1 });
    let clients = 0;
    const round = async (): Promise<void> => {
      for (let client = 0; client < 100; client++) {
        clients++;
        const [ours, theirs] = pipePair();
        theirs.start({ data() {}, end() {}, drain() {}, closed() {} });
        arrive(ours, undefined);
        theirs.write(Uint8Array.of(4, 1, 0, 80, 1, 1, 1, 1, 0));
      }
      await expect.poll(() => proxied.stats().refused, { interval: 2 }).toBe(clients);
    };
    for (let warm = 0; warm < 5; warm++) await round();
    const before = await bytesInUse();
    for (let rounds = 0; rounds < 15; rounds++) await round();
    expect(proxied.stats()).toMatchObject({ refused: 2_000, open: 0 });
    expect(local.stats().refused).toBe(0);
    expect((await bytesInUse()) - before).toBeLessThan(MiB);
    await tunnel.close();
  });
});
