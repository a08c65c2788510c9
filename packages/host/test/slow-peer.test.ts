import { pipePair } from "@postern/testkit";
import * as Limits from "@postern/wire/limits";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { expectClose } from "../src/slow-peer.ts";
import { forward, hostWorld } from "./world.ts";

const sink = { data() {}, end() {}, drain() {}, closed() {} };

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

async function turns(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
}

describe("a channel that the client has closed", () => {
  it("is free after closeStallMs although its visitor never reads", async () => {
    const world = hostWorld({ keepAlive: { intervalMs: 0 } });
    const client = await world.client({
      onChannelOpen: (open) => {
        const channel = open.accept();
        channel.start(sink);
        channel.write(new Uint8Array(512 * 1024));
        channel.close();
      },
    });
    const port = (await forward(client, "localhost", 0)) ?? 0;
    const visitor = world.network.visit(port);
    let reason: Error | undefined;
    visitor.pause();
    visitor.start({ ...sink, closed: (error) => (reason = error) });
    const host = world.host.clients[0];
    await turns();
    vi.advanceTimersByTime(Limits.closeStallMs - 1);
    await turns();
    expect(host?.channels).toBe(1);
    vi.advanceTimersByTime(1);
    await turns();
    expect(host?.channels).toBe(0);
    expect(reason).toBeDefined();
    await client.close();
  });

  it("leaves no timer once its pipe has closed", () => {
    const [pipe] = pipePair();
    const [one, other] = [expectClose(pipe), expectClose(pipe)];
    one.released();
    one.closed();
    other.closed();
    other.released();
    expect(vi.getTimerCount()).toBe(0);
  });
});
