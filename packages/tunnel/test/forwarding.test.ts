/** Requests for ports, and their visitors (RFC 4254 section 7). */

import { rejection, turns } from "@postern/testkit";
import {
  ChannelOpen,
  Debug,
  OpenFailureReason,
  RequestSuccess,
  ServiceAccept,
  ServiceRequest,
  Unimplemented,
  UserauthRequest,
  UserauthSuccess,
  utf8,
} from "@postern/wire";
import { describe, expect, it } from "vitest";
import type { Forwarding, Listener } from "../src/index.ts";
import { denied, forwarded, granted, nothing, onVirtualClock, opening, Rig } from "./world/index.ts";

onVirtualClock();

describe("a request for a port (RFC 4254 section 7.1)", () => {
  it.each(["", "0.0.0.0", "::", "127.0.0.1", "::1", "localhost", "LOCALHOST"])(
    "sends the address %j unchanged",
    async (address) => {
      const rig = await new Rig().logIn();
      const call = rig.tunnel.listen({ address, port: 8080 });
      expect(await rig.nextRequest()).toEqual({ name: "tcpip-forward", address, port: 8080 });
      rig.server.send(granted());
      expect(await call).toMatchObject({ address, port: 8080, target: undefined });
      rig.server.abort();
    },
  );

  it("sends localhost if there is no address, as ssh does", async () => {
    const rig = await new Rig().logIn();
    void rig.tunnel.listen({ port: 1 }).catch(() => {});
    expect((await rig.nextRequest()).address).toBe("localhost");
    rig.server.abort();
  });

  it("returns the port that the server chose for port 0", async () => {
    const { rig, forwarding } = await forwarded({ port: 0 }, 40_001);
    expect(forwarding.port).toBe(40_001);
    rig.server.abort();
  });

  it.each([
    ["no port", nothing],
    ["port 0", granted(0).slice(1)],
    ["port 65536", granted(65_536).slice(1)],
    ["half a port", Uint8Array.of(0, 0)],
    ["more than a port", new Uint8Array(8)],
  ])("rejects with `protocol` if port 0 is granted with %s", async (_what, specificData) => {
    const rig = await new Rig().logIn();
    const call = rejection(rig.tunnel.listen({ port: 0 }));
    await rig.nextRequest();
    rig.server.send(RequestSuccess.encode({ specificData }));
    expect(await call).toMatchObject({
      code: "protocol",
      message: expect.stringContaining("and to return the port"),
    });
    expect(rig.tunnel.state).toBe("open");
    rig.server.abort();
  });

  it("accepts a grant with trailing bytes for another port, because some servers send the port or zeros", async () => {
    for (const specificData of [granted(8080).slice(1), new Uint8Array(4), new Uint8Array(9)]) {
      const rig = await new Rig().logIn();
      const call = rig.tunnel.listen({ port: 8080 });
      await rig.nextRequest();
      rig.server.send(RequestSuccess.encode({ specificData }));
      expect((await call).port).toBe(8080);
      rig.server.abort();
    }
  });

  it("rejects with the address, the port and the server's last DEBUG texts", async () => {
    const rig = await new Rig().logIn();
    const busy = rejection(rig.tunnel.listen({ address: "::1", port: 80 }));
    await rig.nextRequest();
    rig.server.send(denied);
    expect(await busy).toMatchObject({
      code: "refused",
      message:
        'expected the server to listen on "::1" port 80, but it refused and gave no reason; the port may be in use',
    });
    const policy = rejection(rig.tunnel.listen({ port: 81 }));
    await rig.nextRequest();
    rig.server.send(
      Debug.encode({ alwaysDisplay: true, message: "Server has disabled port forwarding.", language: "" }),
      denied,
    );
    expect(await policy).toMatchObject({
      code: "denied",
      message: expect.stringContaining('gave "Server has disabled port forwarding."'),
    });
    expect(rig.tunnel.forwardings).toEqual([]);
    rig.server.abort();
  });

  it("rejects with `denied`, even with wait, if the server answers UNIMPLEMENTED", async () => {
    const rig = await new Rig({ reconnect: { mode: "established" } }).logIn();
    const call = rejection(rig.tunnel.listen({ port: 80, wait: true }));
    await rig.nextRequest();
    rig.server.send(Unimplemented.encode({ sequence: rig.server.lastSequence }));
    expect(await call).toMatchObject({
      code: "denied",
      message: expect.stringContaining("does not support remote forwarding"),
    });
    expect(rig.tunnel.state).toBe("open");
    rig.server.abort();
  });

  it("does not take DEBUG texts about the key that logged in as the reason of a refusal", async () => {
    const rig = await new Rig().logIn();
    const busy = rejection(rig.tunnel.listen({ port: 80 }));
    await rig.nextRequest();
    const message = "/home/test/.ssh/authorized_keys:1: key options: agent-forwarding not permitted";
    rig.server.send(Debug.encode({ alwaysDisplay: false, message, language: "" }), denied);
    expect(await busy).toMatchObject({ code: "refused", message: expect.stringContaining("gave no reason") });
    rig.server.abort();
  });

  it("does not take DEBUG texts that an old sshd sends before the end of login as the reason", async () => {
    const rig = new Rig();
    const login = rig.tunnel.connect();
    const busy = rejection(rig.tunnel.listen({ port: 80 }));
    await turns();
    await rig.server.until(ServiceRequest.number);
    rig.server.send(ServiceAccept.encode({ service: "ssh-userauth" }));
    await rig.server.until(UserauthRequest.number);
    // OpenSSH up to 7.6 lists what the key must not do, without the position in the file.
    rig.server.send(
      Debug.encode({ alwaysDisplay: false, message: "X11 forwarding disabled.", language: "" }),
      UserauthSuccess.encode({}),
    );
    await login;
    await rig.nextRequest();
    rig.server.send(denied);
    // Not `denied`, which would be final.
    expect(await busy).toMatchObject({ code: "refused", message: expect.stringContaining("gave no reason") });
    rig.server.abort();
  });

  it("does not take DEBUG texts sent before the request as the reason", async () => {
    const rig = await new Rig().logIn();
    rig.server.send(
      Debug.encode({
        alwaysDisplay: false,
        message: "authorized_keys:1: key options: agent-forwarding not permitted",
        language: "",
      }),
    );
    await turns();
    const busy = rejection(rig.tunnel.listen({ port: 80 }));
    await rig.nextRequest();
    rig.server.send(denied);
    expect(await busy).toMatchObject({
      code: "refused",
      message: expect.stringContaining("no reason; the port may be in use"),
    });
    rig.server.abort();
  });

  it("rejects with `misuse` for an address and port that are forwarded already", async () => {
    const { rig } = await forwarded({ address: "::1", port: 80 });
    expect(await rejection(rig.tunnel.listen({ address: "::1", port: 80 }))).toMatchObject({
      code: "misuse",
    });
    rig.server.abort();
  });

  it("rejects at once if it is aborted, and cancels the port if the server grants it later", async () => {
    const rig = await new Rig().logIn();
    const abort = new AbortController();
    const call = rejection(rig.tunnel.listen({ port: 0, signal: abort.signal }));
    await rig.nextRequest();
    abort.abort(new Error("why"));
    expect(await call).toBe(abort.signal.reason);
    rig.server.send(granted(40_001), opening("localhost", 40_001));
    expect(await rig.nextRequest()).toEqual({ name: "cancel-tcpip-forward", address: "localhost", port: 40_001 });
    expect(await rig.refusal()).toMatchObject({ reason: OpenFailureReason.ADMINISTRATIVELY_PROHIBITED });
    rig.server.send(granted());
    await turns();
    expect([rig.tunnel.state, rig.tunnel.forwardings]).toEqual(["open", []]);
    rig.server.abort();
  });
});

describe("a visitor", () => {
  it("is served if it arrives in the same segment as the grant", async () => {
    for (const port of [8080, 0]) {
      const rig = await new Rig().logIn();
      const call = rig.tunnel.listen({ port });
      await rig.nextRequest();
      rig.server.transport.send(granted(port === 0 ? 40_001 : undefined));
      rig.server.send(opening("localhost", port === 0 ? 40_001 : port));
      await rig.confirmation();
      const { value: channel } = await (await call)[Symbol.asyncIterator]().next();
      expect(channel).toMatchObject({ type: "forwarded-tcpip", origin: { host: "192.0.2.7", port: 4242 } });
      rig.server.abort();
    }
  });

  it("is routed by address and port, then by a port that only one forwarding has, otherwise refused", async () => {
    const rig = await new Rig().logIn();
    const all: Forwarding[] = [];
    for (const [address, port] of [
      ["127.0.0.1", 80],
      ["::1", 80],
      ["localhost", 81],
    ] as const) {
      const call = rig.tunnel.listen({ address, port });
      await rig.nextRequest();
      rig.server.send(granted());
      all.push(await call);
    }
    const routed: [string, number, number | undefined][] = [
      ["127.0.0.1", 80, 0],
      ["::1", 80, 1],
      ["localhost", 81, 2],
      ["0.0.0.0", 81, 2],
      ["LOCALHOST", 81, 2],
      ["localhost", 80, undefined],
      ["127.0.0.1", 82, undefined],
      ["127.0.0.1", 0, undefined],
    ];
    for (const [address, port, which] of routed) {
      const readers = all.map((forwarding) => (forwarding as Listener)[Symbol.asyncIterator]().next());
      rig.visit(address, port);
      if (which === undefined) {
        expect(await rig.refusal(), `${address} ${port}`).toMatchObject({
          reason: OpenFailureReason.ADMINISTRATIVELY_PROHIBITED,
          description: "this port was not requested",
        });
        rig.visit("127.0.0.1", 80);
      }
      await rig.confirmation();
      const winner = await Promise.race(readers.map((reader, at) => reader.then(() => at)));
      expect(winner, `${address} ${port}`).toBe(which ?? 0);
      // Ends the pending next() of the other readers.
      for (const [at, [to, of]] of (
        [
          ["127.0.0.1", 80],
          ["::1", 80],
          ["localhost", 81],
        ] as const
      ).entries())
        if (at !== winner) rig.visit(to, of);
      await Promise.all(readers);
    }
    rig.server.abort();
  });

  it("is refused on a port that was not requested (RFC 4254 section 7.2), like other channel types", async () => {
    const rig = await new Rig().logIn();
    rig.visit("localhost", 80);
    expect(await rig.refusal()).toMatchObject({ reason: OpenFailureReason.ADMINISTRATIVELY_PROHIBITED });
    rig.server.send(
      ChannelOpen.encode({
        channelType: "session",
        senderChannel: 1,
        initialWindow: 1,
        maxPacket: 1,
        specificData: nothing,
      }),
    );
    expect(await rig.refusal()).toMatchObject({ reason: OpenFailureReason.UNKNOWN_CHANNEL_TYPE });
    rig.server.abort();
  });

  it("may have any originator address, which is reported and never judged", async () => {
    const { rig, forwarding } = await forwarded({ port: 80 });
    const iterator = forwarding[Symbol.asyncIterator]();
    for (const origin of [
      { originAddress: "", originPort: 0 },
      { originAddress: "not an address", originPort: 4_294_967_295 },
    ]) {
      rig.visit("localhost", 80, 5, origin);
      expect((await iterator.next()).value?.origin).toEqual({ host: origin.originAddress, port: origin.originPort });
    }
    rig.server.abort();
  });

  it("ends the connection if its open is malformed", async () => {
    const { rig } = await forwarded({ port: 80 });
    rig.server.send(
      ChannelOpen.encode({
        channelType: "forwarded-tcpip",
        senderChannel: 1,
        initialWindow: 1,
        maxPacket: 1,
        specificData: utf8("?"),
      }),
    );
    expect(await rejection(rig.tunnel.closed)).toMatchObject({ code: "protocol" });
  });
});
