/** The iterator of a listener: no visitor is lost when one loop ends and another begins. */
import { turns } from "@postern/testkit";
import { describe, expect, it } from "vitest";
import type { ForwardedChannel } from "../src/index.ts";
import { onVirtualClock, openTunnel, outcome, World } from "./world/index.ts";

onVirtualClock();

async function eventBased(): Promise<
  { world: World } & Pick<Awaited<ReturnType<typeof openTunnel>>, "tunnel"> & {
      forwarding: Awaited<ReturnType<Awaited<ReturnType<typeof openTunnel>>["tunnel"]["listen"]>>;
    }
> {
  const world = new World();
  const { tunnel } = await openTunnel(world);
  return { world, tunnel, forwarding: await tunnel.listen({ port: 7777 }) };
}

const done = { done: true, value: undefined };

describe("an iterator of a forwarding", () => {
  it("resolves a pending next() when it returns, and leaves the next visitor to the next loop", async () => {
    const { world, forwarding } = await eventBased();
    const first = forwarding[Symbol.asyncIterator]();
    const waiting = [first.next(), first.next()];
    expect(await first.return?.()).toEqual(done);
    expect(await outcome(Promise.all(waiting))).toBe("resolved");
    expect(await Promise.all(waiting)).toEqual([done, done]);
    await world.visit(7777);
    const { value } = await forwarding[Symbol.asyncIterator]().next();
    expect(value).toMatchObject({ type: "forwarded-tcpip" });
  });

  it("yields no more channels after it has returned", async () => {
    const { world, forwarding } = await eventBased();
    const first = forwarding[Symbol.asyncIterator]();
    await first.return?.();
    await world.visit(7777);
    await turns();
    expect(await first.next()).toEqual(done);
    expect((await forwarding[Symbol.asyncIterator]().next()).done).toBe(false);
  });

  it("keeps the pending next() of other iterators", async () => {
    const { world, forwarding } = await eventBased();
    const [one, two] = [forwarding[Symbol.asyncIterator](), forwarding[Symbol.asyncIterator]()];
    const [ended, served] = [one.next(), two.next()];
    await one.return?.();
    expect(await ended).toEqual(done);
    expect(await outcome(served)).toBe("unsettled");
    await world.visit(7777);
    expect((await served).done).toBe(false);
  });

  it("yields each visitor once to loops that break", async () => {
    const { world, forwarding } = await eventBased();
    await world.visit(7777);
    await world.visit(7777);
    const taken: ForwardedChannel[] = [];
    for (let round = 0; round < 2; round++) {
      for await (const channel of forwarding) {
        taken.push(channel);
        break;
      }
    }
    expect(new Set(taken).size).toBe(2);
  });
});
