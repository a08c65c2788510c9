/** The guess of the key exchange on a reconnection (RFC 4253 section 7.1), as a tap sees it. */
import type { PacketTap } from "@postern/ssh";
import { KexInit } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { advance, onVirtualClock, openTunnel, World } from "./world/index.ts";

onVirtualClock();

/** Returns a tap, and whether KEXINIT announced a guess on each connection so far. */
function guesses(): { readonly tap: () => PacketTap; readonly found: boolean[] } {
  const found: boolean[] = [];
  const tap = (): PacketTap => {
    let isFirst = true;
    return {
      packet({ direction, payload }) {
        if (direction !== "sent" || payload[0] !== KexInit.number || !isFirst) return;
        isFirst = false;
        found.push(KexInit.decode(payload).firstKexPacketFollows);
      },
    };
  };
  return { tap, found };
}

describe("the key exchange of a reconnection", () => {
  it("is guessed, because the server preferred the same algorithms, and never on a first connection", async () => {
    const world = new World();
    const { tap, found } = guesses();
    const { tunnel } = await openTunnel(world, { tap });
    for (let count = 0; count < 2; count++) {
      world.link.cut();
      await advance(5_000);
      expect(tunnel.state).toBe("open");
    }
    expect(found).toEqual([false, true, true]);
  });

  it("is not guessed for a server that beforeReconnect returns, which may be another one", async () => {
    const world = new World();
    const { tap, found } = guesses();
    const { tunnel } = await openTunnel(world, { tap, beforeReconnect: () => ({ host: "other" }) });
    for (let count = 0; count < 2; count++) {
      world.link.cut();
      await advance(5_000);
      expect(tunnel.state).toBe("open");
    }
    expect(found).toEqual([false, false, false]);
  });

  it("is not guessed by the attempt that follows a failed one", async () => {
    const world = new World();
    const { tap, found } = guesses();
    const { tunnel } = await openTunnel(world, { tap });
    world.fates.push("reset");
    world.link.cut();
    await advance(10_000);
    expect(tunnel.state).toBe("open");
    expect(found).toEqual([false, true, false]);
  });
});
