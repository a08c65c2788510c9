/** The option `tap` of both roles. */
import { createPacketDecoder } from "@postern/wire";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { PacketTap } from "../src/index.ts";
import { world } from "./world.ts";

afterEach(() => vi.restoreAllMocks());

/** A tap that lists names of messages. */
function names(): { readonly tap: PacketTap; readonly list: string[] } {
  const decoder = createPacketDecoder();
  const list: string[] = [];
  const tap: PacketTap = {
    packet: ({ direction, payload }) => list.push(`${direction} ${decoder.describe(direction, payload).name}`),
  };
  return { tap, list };
}

describe("the option tap", () => {
  it("sees the login and a rekey in both roles", async () => {
    const [ours, theirs] = [names(), names()];
    const { client, server } = await world({ client: { tap: ours.tap }, server: { tap: theirs.tap } });
    client.rekey();
    await client.request("keepalive@openssh.com", new Uint8Array(0));
    await client.close();
    await server.closed.catch(() => {});
    const turned = (list: readonly string[]): string[] => list.filter((one) => one.startsWith("sent"));
    expect(turned(ours.list)).toEqual([
      "sent KEXINIT",
      "sent KEX_ECDH_INIT",
      "sent NEWKEYS",
      "sent SERVICE_REQUEST",
      "sent USERAUTH_REQUEST",
      "sent KEXINIT",
      "sent KEX_ECDH_INIT",
      "sent NEWKEYS",
      "sent GLOBAL_REQUEST",
      "sent DISCONNECT",
    ]);
    const received = (list: readonly string[]): string[] =>
      list.flatMap((one) => (one.startsWith("received") ? [one.replace("received", "sent")] : []));
    expect(received(theirs.list)).toEqual(turned(ours.list));
    expect(received(ours.list)).toEqual(turned(theirs.list).slice(0, received(ours.list).length));
  });

  it("reports its errors as uncaught, as those of event listeners, and the connection goes on", async () => {
    const reported: unknown[] = [];
    const real = globalThis.queueMicrotask;
    const error = new Error("no room in the log");
    // Only the reports of the tap throw.
    vi.spyOn(globalThis, "queueMicrotask").mockImplementation((run) =>
      real(() => {
        try {
          run();
        } catch (thrown) {
          if (thrown !== error) throw thrown;
          reported.push(thrown);
        }
      }),
    );
    let calls = 0;
    const tap: PacketTap = {
      packet() {
        calls++;
        throw error;
      },
    };
    const { client } = await world({ client: { tap } });
    const reply = await client.request("keepalive@openssh.com", new Uint8Array(0));
    expect(reply.ok).toBe(false);
    await client.close();
    expect(calls).toBeGreaterThan(8);
    // After our DISCONNECT the connection reports nothing more.
    expect(reported.length).toBe(calls - 1);
  });
});
