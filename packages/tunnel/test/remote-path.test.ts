/** UNIX sockets on the server (OpenSSH PROTOCOL section 2.4): requests, routing, and servers that lie. */
import { ChannelOpen, ForwardedStreamlocal, GlobalRequest, StreamlocalForward, utf8 } from "@postern/wire";
import { describe, expect, it } from "vitest";
import type { Platform } from "../src/index.ts";
import { denied, granted, onVirtualClock, openTunnel, outcome, Rig, World } from "./world/index.ts";

onVirtualClock();

/** Returns the next request for a path that the server gets. */
async function nextRequest(rig: Rig): Promise<readonly [name: string, path: string]> {
  const { name, specificData } = GlobalRequest.decode(await rig.server.until(GlobalRequest.number));
  return [name, StreamlocalForward.decode(specificData).path];
}

function openingFor(path: string, senderChannel: number): Uint8Array {
  return ChannelOpen.encode({
    channelType: "forwarded-streamlocal@openssh.com",
    senderChannel,
    initialWindow: 100_000,
    maxPacket: 32_768,
    specificData: ForwardedStreamlocal.encode({ path, reserved: utf8("reserved") }),
  });
}

describe("a path on the server", () => {
  it("is requested, serves only its own visitors, and is cancelled", async () => {
    const rig = await new Rig().logIn();
    const pending = rig.tunnel.listen({ path: "/run/web.sock" });
    expect(await nextRequest(rig)).toEqual(["streamlocal-forward@openssh.com", "/run/web.sock"]);
    rig.server.send(granted());
    const listener = await pending;
    expect(listener).toMatchObject({ address: "/run/web.sock", path: "/run/web.sock", port: undefined, state: "open" });
    expect(rig.tunnel.timeline.at(-1)).toMatchObject({ forwarding: "/run/web.sock" });
    // Unlike the address of a port, a path is never guessed.
    rig.server.send(openingFor("/run/other.sock", 1));
    expect((await rig.refusal()).reason).toBe(1);
    rig.visit("/run/web.sock", 0);
    expect((await rig.refusal()).reason).toBe(1);
    rig.server.send(openingFor("/run/web.sock", 2));
    await rig.confirmation();
    for await (const { origin } of listener) {
      expect(origin).toEqual({ host: "", port: 0 });
      break;
    }
    const closing = listener.close();
    expect(await nextRequest(rig)).toEqual(["cancel-streamlocal-forward@openssh.com", "/run/web.sock"]);
    rig.server.send(granted());
    await closing;
    rig.server.send(openingFor("/run/web.sock", 3));
    expect((await rig.refusal()).reason).toBe(1);
    rig.server.abort();
  });

  it("tells onOpen its path", async () => {
    const rig = await new Rig().logIn();
    const seen: unknown[] = [];
    const pending = rig.tunnel.listen({ path: "/a", onOpen: (request) => seen.push(request) > 2 });
    await nextRequest(rig);
    rig.server.send(granted());
    await pending;
    rig.server.send(openingFor("/a", 1));
    await rig.refusal();
    expect(seen).toEqual([{ channelId: expect.any(Number), origin: { host: "", port: 0 }, address: "/a", port: 0 }]);
    rig.server.abort();
  });

  it("is refused with a hint, since a server leaves the files of dead sessions", async () => {
    const rig = await new Rig().logIn();
    const pending = rig.tunnel.listen({ path: "/a" });
    await nextRequest(rig);
    rig.server.send(denied);
    await expect(pending).rejects.toMatchObject({
      code: "refused",
      message: expect.stringMatching(/^expected the server to listen on "\/a", got a refusal.*StreamLocalBindUnlink/),
    });
    const twice = rig.tunnel.listen({ path: "/b" });
    await nextRequest(rig);
    rig.server.send(granted());
    await twice;
    await expect(rig.tunnel.listen({ path: "/b" })).rejects.toMatchObject({ code: "misuse" });
    rig.server.abort();
  });

  it.each([[{ path: "/a", port: 1 }], [{ path: "/a", address: "localhost" }], [{ path: "" }], [{ path: 7 }], [{}]])(
    "is rejected as misuse in %j",
    async (options) => {
      const { tunnel } = await openTunnel(new World());
      await expect(tunnel.listen(options as { path: string })).rejects.toMatchObject({ code: "misuse" });
    },
  );
});

describe("a platform", () => {
  const bare: Partial<Platform> = { specialTargets: undefined };
  it.each([
    ["UNIX sockets", { port: 1, target: { path: "/a" } }],
    ["SOCKS", { port: 1, target: "socks", allow: () => true }],
  ] as const)("that lacks %s says so", async (_, options) => {
    const { tunnel } = await openTunnel(Object.assign(new World(), bare));
    await expect(tunnel.forward(options)).rejects.toMatchObject({
      code: "misuse",
      message: expect.stringContaining("use @postern/node"),
    });
  });

  it("that cannot listen says so", async () => {
    const { tunnel } = await openTunnel(new World());
    expect(await outcome(tunnel.forwardLocal({ port: 1, target: { host: "a", port: 1 } }))).toBe("misuse");
    expect(await outcome(tunnel.socks({ port: 1 }))).toBe("misuse");
  });
});
