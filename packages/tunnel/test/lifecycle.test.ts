/** connect(), close() and the events of a tunnel. */
import { rejection, turns } from "@postern/testkit";
import { ChannelOpenConfirmation, ChannelOpenFailure, Debug, UserauthBanner } from "@postern/wire";
import { describe, expect, it } from "vitest";
import type { Listener } from "../src/index.ts";
import { denied, granted, onVirtualClock, Rig } from "./world/index.ts";

onVirtualClock();

async function withPort(port = 80): Promise<{ readonly rig: Rig; readonly forwarding: Listener }> {
  const rig = await new Rig().logIn();
  const call = rig.tunnel.listen({ port });
  await rig.nextRequest();
  rig.server.send(granted());
  return { rig, forwarding: await call };
}

describe("connect()", () => {
  it("goes through the states up to open, and close() to closed", async () => {
    const rig = await new Rig().logIn();
    expect(rig.tunnel.state).toBe("open");
    expect(await rejection(rig.tunnel.connect())).toMatchObject({ code: "misuse" });
    const leaving = rig.tunnel.close();
    await turns();
    rig.server.end();
    await leaving;
    await rig.tunnel.closed;
    expect(rig.states).toEqual(["connecting", "authenticating", "open", "closed"]);
    await rig.tunnel.close();
  });

  it("fires events for banners and DEBUG texts", async () => {
    const rig = new Rig();
    const texts: string[] = [];
    for (const type of ["banner", "debug"] as const)
      rig.tunnel.addEventListener(type, (event) => void texts.push(`${event.type}: ${event.message}`));
    const login = rig.tunnel.connect();
    await turns();
    await rig.server.until(5);
    rig.server.send(
      UserauthBanner.encode({ message: "hello", language: "" }),
      Debug.encode({ alwaysDisplay: true, message: "words", language: "" }),
    );
    await turns();
    expect(texts).toEqual(["banner: hello", "debug: words"]);
    rig.server.abort();
    await rejection(login);
  });

  it("fires `debug` for the lines that a server sends before its identification", async () => {
    const { tunnel, world } = new Rig();
    world.fate = "busy";
    const heard: string[] = [];
    tunnel.addEventListener("debug", ({ message }) => void heard.push(message));
    const login = tunnel.connect();
    expect(await rejection(login)).toMatchObject({
      code: "busy",
      message: expect.stringContaining("Not allowed at this time"),
    });
    expect(heard).toEqual(["Not allowed at this time"]);
  });

  it("passes the host key to the program, and refuses it unless the answer is true", async () => {
    const rig = new Rig({ hostKey: () => undefined as unknown as boolean });
    expect(await rejection(rig.tunnel.connect())).toMatchObject({
      code: "hostkey",
      message: expect.stringMatching(/^the host key SHA256:\S{43} \(ssh-ed25519\) was refused$/),
    });
    expect(rig.states).toEqual(["connecting", "closed"]);
    rig.server.end();
  });

  it("ends the tunnel if it is aborted or closed while it dials or the host key is checked", async () => {
    for (const moment of ["dial", "hostKey"] as const) {
      for (const how of ["abort", "close"] as const) {
        let decide: (trusted: boolean) => void = () => {};
        const rig = new Rig({
          hostKey: () => (moment === "hostKey" ? new Promise<boolean>((resolve) => (decide = resolve)) : true),
        });
        if (moment === "dial") rig.world.fate = "hang";
        const abort = new AbortController();
        const login = rejection(rig.tunnel.connect({ signal: abort.signal }));
        await turns();
        if (how === "abort") abort.abort(new Error("why"));
        else await rig.tunnel.close();
        if (how === "abort") expect(await login, moment).toBe(abort.signal.reason);
        else expect(await login, moment).toMatchObject({ code: "aborted" });
        expect(rig.tunnel.state).toBe("closed");
        expect(await rejection(rig.tunnel.closed)).toMatchObject({ code: "aborted" });
        // A late decision has no effect.
        decide(true);
        await turns();
        expect(rig.tunnel.state, `${moment} ${how}`).toBe("closed");
        if (moment === "hostKey") rig.server.end();
      }
    }
  });

  it("cannot follow close(), which ends a new tunnel", async () => {
    const rig = new Rig();
    expect(rig.tunnel.state).toBe("new");
    await rig.tunnel.close();
    await rig.tunnel.closed;
    expect(rig.states).toEqual(["closed"]);
    expect(await rejection(rig.tunnel.connect())).toMatchObject({ code: "misuse" });
    expect(rig.world.dials).toEqual([]);
  });
});

describe("Forwarding.close()", () => {
  it("sends address and port, and serves visitors until the server agrees (RFC 4254 section 7.1)", async () => {
    const rig = await new Rig().logIn();
    const call = rig.tunnel.listen({ address: "", port: 0 });
    await rig.nextRequest();
    rig.server.send(granted(40_001));
    const forwarding = await call;
    const cancelling = forwarding.close();
    expect(await rig.nextRequest()).toEqual({ name: "cancel-tcpip-forward", address: "", port: 40_001 });
    rig.visit("", 40_001);
    await rig.server.until(ChannelOpenConfirmation.number);
    rig.server.send(granted());
    await cancelling;
    await forwarding.closed;
    rig.visit("", 40_001);
    expect(ChannelOpenFailure.decode(await rig.server.until(ChannelOpenFailure.number))).toMatchObject({ reason: 1 });
    expect(rig.tunnel.forwardings).toEqual([]);
    // The earlier visitor is still yielded, then the loop ends.
    const seen = [];
    for await (const channel of forwarding) seen.push(channel.origin.host);
    expect(seen).toEqual(["192.0.2.7"]);
    await forwarding.close();
    rig.server.abort();
  });

  it("rejects if the server refuses, and the forwarding stays open", async () => {
    const { rig, forwarding } = await withPort();
    const cancelling = rejection(forwarding.close());
    await rig.nextRequest();
    rig.server.send(denied);
    expect(await cancelling).toMatchObject({ code: "refused" });
    rig.visit("localhost", 80);
    await rig.server.until(ChannelOpenConfirmation.number);
    expect(rig.tunnel.forwardings).toEqual([forwarding]);
    rig.server.abort();
  });

  it("rejects at once if it is aborted, and still closes when the server agrees", async () => {
    const { rig, forwarding } = await withPort();
    const abort = new AbortController();
    const cancelling = rejection(forwarding.close({ signal: abort.signal }));
    await rig.nextRequest();
    abort.abort();
    expect(await cancelling).toBe(abort.signal.reason);
    rig.server.send(granted());
    await forwarding.closed;
    expect(rig.tunnel.forwardings).toEqual([]);
    rig.server.abort();
  });

  it("sends one request if it is called twice", async () => {
    const { rig, forwarding } = await withPort();
    const both = Promise.all([forwarding.close(), forwarding.close()]);
    await rig.nextRequest();
    rig.server.send(granted());
    await both;
    rig.server.abort();
  });
});

describe("the end of a tunnel", () => {
  it("ends forwardings and their loops without an error after close()", async () => {
    const { rig, forwarding } = await withPort();
    const loop = (async () => {
      for await (const channel of forwarding) channel.abort();
      return "over";
    })();
    const leaving = rig.tunnel.close();
    await turns();
    rig.server.end();
    await leaving;
    expect(await loop).toBe("over");
    await forwarding.closed;
    expect(rig.tunnel.forwardings).toEqual([]);
  });

  it("rejects forwardings and pending requests with the error of a lost connection", async () => {
    const { rig, forwarding } = await withPort();
    const waiting = Promise.allSettled([
      forwarding.closed,
      rig.tunnel.closed,
      rig.tunnel.listen({ port: 81 }),
      forwarding[Symbol.asyncIterator]().next(),
    ]);
    await turns();
    rig.server.abort();
    for (const [at, one] of (await waiting).entries())
      expect(one, `waiter ${at}`).toMatchObject({ status: "rejected", reason: { code: "closed" } });
    expect(rig.states.at(-1)).toBe("closed");
    await rig.tunnel.close();
  });

  it("comes at the end of an `await using` block", async () => {
    const rig = await new Rig().logIn();
    const leaving = rig.tunnel[Symbol.asyncDispose]();
    await turns();
    rig.server.end();
    await leaving;
    expect(rig.tunnel.state).toBe("closed");
  });
});
