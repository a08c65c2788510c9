/** The option `tap` of a host, and a key exchange that it begins. */
import type { PacketTap } from "@postern/ssh";
import { KexInit } from "@postern/wire";
import { describe, expect, it } from "vitest";
import type { HostClient } from "../src/index.ts";
import { hostWorld } from "./world.ts";

describe("the option tap", () => {
  it("is called for each client, and sees its packets", async () => {
    const seen = new Map<number, number[]>();
    const tap = ({ id }: HostClient): PacketTap => {
      const numbers: number[] = [];
      seen.set(id, numbers);
      return { packet: ({ payload }) => numbers.push(payload[0] ?? 0) };
    };
    const world = hostWorld({ tap });
    const clients = [await world.client(), await world.client()];
    for (const client of clients) await client.close();
    expect([...seen.keys()]).toEqual([1, 2]);
    for (const numbers of seen.values()) expect(numbers.slice(0, 2)).toEqual([KexInit.number, KexInit.number]);
    await world.host.close();
  });

  it("disconnects the client if it throws", async () => {
    const world = hostWorld({
      tap: () => {
        throw new Error("no log for you");
      },
    });
    const closed = world.event("clientclosed");
    await expect(world.client()).rejects.toMatchObject({ code: "version" });
    expect((await closed).reason).toMatchObject({ code: "closed", cause: { message: "no log for you" } });
    expect(world.host.clients).toEqual([]);
  });
});

describe("rekey() of a client", () => {
  it("exchanges new keys (RFC 4253 section 9), and does nothing before login", async () => {
    const inits: string[] = [];
    const tap = (): PacketTap => ({
      packet: ({ direction, payload }) => {
        if (payload[0] === KexInit.number) inits.push(direction);
      },
    });
    const world = hostWorld({ tap });
    world.host.addEventListener("clientopened", ({ client }) => client.rekey());
    const client = await world.client();
    expect(inits.toSorted()).toEqual(["received", "sent"]);
    world.host.clients[0]?.rekey();
    await client.request("keepalive@openssh.com", new Uint8Array(0));
    expect(client.stats().rekeys).toBe(1);
    expect(inits.slice(2)).toEqual(["sent", "received"]);
    await client.close();
    await world.host.close();
  });
});
