import { modernAlgorithms } from "@postern/noble";
import { Debug, ExtInfo, fromUtf8, Ignore, KexInit, SshError, utf8 } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { describe, expect, it, vi } from "vitest";
import { extInfoClient, strictClient, strictServer } from "../src/negotiate.ts";
import type { Role } from "../src/version-exchange.ts";
import { converse, events, failure, machine, pair, RawPeer, settle, withRaw } from "./raw-peer.ts";

const roles: Role[] = ["client", "server"];
const ignore = Ignore.encode({ data: utf8("x") });
const nothing = new Uint8Array(0);
const debug = Debug.encode({ alwaysDisplay: false, message: "x", language: "" });

describe("strict kex", () => {
  it.each(roles)("resets both sequence numbers of a %s at every NEWKEYS", (role) => {
    const { ours, peer } = withRaw(role);
    const sequences = (): number[] => [peer.writer.sequence, peer.reader.sequence];
    // A server sends EXT_INFO after its first NEWKEYS.
    expect(sequences()).toEqual([0, role === "server" ? 1 : 0]);
    for (let round = 0; round < 3; round++) {
      ours.send(debug);
      peer.send(debug);
      converse(ours, peer);
      expect(peer.reader.sequence).toBeGreaterThan(0);
      ours.startRekey();
      converse(ours, peer);
      expect(sequences()).toEqual([0, 0]);
    }
  });

  it.each(roles)("is not used with a peer that does not offer it, by a %s", (role) => {
    const { ours, peer } = withRaw(role, {}, true);
    const before = [peer.writer.sequence, peer.reader.sequence];
    // KEXINIT, the method's message and NEWKEYS.
    expect(before).toEqual([3, 3]);
    ours.send(debug);
    peer.send(debug, ignore);
    expect(converse(ours, peer).map(({ type }) => type)).toEqual(["debug"]);
    expect([peer.writer.sequence, peer.reader.sequence]).toEqual([5, 4]);
    peer.start();
    expect(converse(ours, peer).map(({ type }) => type)).toContain("keys");
    expect([peer.writer.sequence, peer.reader.sequence]).toEqual([8, 7]);
  });

  it.each(roles)("is announced by a %s in its first KEXINIT only, as is EXT_INFO", (role) => {
    const { ours, peer } = withRaw(role);
    ours.startRekey();
    converse(ours, peer);
    const [first = [], second = []] = peer.got
      .filter(([number]) => number === 20)
      .map((payload) => KexInit.decode(payload).kexAlgorithms);
    const markers = role === "client" ? [extInfoClient, strictClient] : [strictServer];
    expect(first.filter((name) => !second.includes(name))).toEqual(markers);
    expect(peer.kex.strict).toBe(true);
  });

  it.each(roles)("is ignored by a %s in a later KEXINIT (OpenSSH PROTOCOL, strict key exchange)", (role) => {
    const { ours, peer } = withRaw(role, {}, true);
    const marker = role === "client" ? strictServer : strictClient;
    const { encode } = KexInit;
    const marked = vi.spyOn(KexInit, "encode");
    marked.mockImplementation((init) => encode({ ...init, kexAlgorithms: [...init.kexAlgorithms, marker] }));
    peer.start();
    marked.mockRestore();
    const received = converse(ours, peer.send(ignore));
    expect(received.find(({ type }) => type === "keys")).toMatchObject({ first: false, names: { strict: false } });
    // KEXINIT, the method's message and NEWKEYS, twice, and one IGNORE: the sequence numbers continue.
    expect([peer.writer.sequence, peer.reader.sequence]).toEqual([7, 6]);
  });

  it("detects an injected or a dropped packet (Terrapin)", () => {
    for (const attack of ["inject", "drop"] as const) {
      const [client, server] = [machine("client"), machine("server")];
      server.receive(client.takeOutput() ?? expect.unreachable());
      events(server);
      client.receive(server.takeOutput() ?? expect.unreachable());
      events(client);
      server.receive(client.takeOutput() ?? expect.unreachable());
      events(server);
      const flight = server.takeOutput() ?? expect.unreachable();
      const packets = splitPlain(flight, 2);
      const [reply, newKeys, extInfo] = packets;
      const injected = new RawPeer("server").writer;
      injected.take();
      injected.send(ignore);
      const altered =
        attack === "inject" ? [injected.take(), reply, newKeys, /* EXT_INFO dropped */ undefined] : [reply, newKeys];
      expect(extInfo?.length).toBeGreaterThan(0);
      for (const chunk of altered) if (chunk !== undefined) client.receive(chunk);
      if (attack === "inject") {
        expect(() => events(client)).toThrow(expect.objectContaining({ code: "protocol" }));
        continue;
      }
      events(client);
      // EXT_INFO was packet 0 under the new keys, so the tag of the next packet is wrong.
      server.send(ignore);
      client.receive(server.takeOutput() ?? expect.unreachable());
      expect(() => events(client)).toThrow(SshError);
    }
  });
});

/** Splits off the first `count` unencrypted packets. */
function splitPlain(bytes: Uint8Array, count: number): Uint8Array[] {
  const parts = [];
  let at = 0;
  for (let n = 0; n < count; n++) {
    const size = 4 + new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(0);
    parts.push(bytes.slice(at, at + size));
    at += size;
  }
  return [...parts, bytes.slice(at)];
}

describe("EXT_INFO (RFC 8308)", () => {
  it("contains the signature algorithms and the extensions of the server, if the client accepts it", () => {
    const { client } = pair();
    expect(client.sessionId).toBeDefined();
    const again = machine("client");
    const [received] = settle(again, machine("server"));
    const info = received.find((event) => event.type === "extInfo");
    const extensions = info?.type === "extInfo" ? info.extensions : new Map<string, Uint8Array>();
    expect(Object.fromEntries([...extensions].map(([name, value]) => [name, fromUtf8(value)]))).toEqual({
      "server-sig-algs": modernAlgorithms.hostKeys.map(({ name }) => name).join(","),
      "ping@openssh.com": "0",
      "publickey-hostbound@openssh.com": "0",
    });
  });

  it("names no certificates, as in OpenSSH: the plain names stand for them", () => {
    const [plain = expect.unreachable()] = modernAlgorithms.hostKeys;
    const name = "ssh-ed25519-cert-v01@openssh.com";
    const certified = { ...plain, name, keyType: name, readCertificate: () => expect.unreachable() };
    const algorithms = { ...modernAlgorithms, hostKeys: [certified, plain] };
    const [received] = settle(machine("client"), machine("server", { algorithms }));
    const info = received.find((event) => event.type === "extInfo");
    expect(info?.type === "extInfo" && info.extensions.get("server-sig-algs")).toEqual(utf8("ssh-ed25519"));
  });

  it("is not sent to a client that does not accept it", () => {
    expect(withRaw("server").peer.numbers).toContain(ExtInfo.number);
    expect(withRaw("server", {}, true).peer.numbers).not.toContain(ExtInfo.number);
  });

  it("is not sent by a client, even if the server sends the marker of clients (RFC 8308 section 2.1)", () => {
    const peer = new RawPeer("server");
    const { encode } = KexInit;
    const marked = vi.spyOn(KexInit, "encode");
    marked.mockImplementation((init) => encode({ ...init, kexAlgorithms: [...init.kexAlgorithms, "ext-info-c"] }));
    peer.start();
    marked.mockRestore();
    expect(converse(machine("client"), peer).map(({ type }) => type)).toContain("keys");
    expect(peer.numbers).not.toContain(ExtInfo.number);
  });

  it("may contain unknown extensions with any value, in any order, up to the largest packet (RFC 8308 section 2.5)", () => {
    const { ours, peer } = withRaw("client");
    const unknown = ["no-flow-control", Uint8Array.of(0, 255, 0)] as const;
    const known = ["server-sig-algs", utf8("ssh-ed25519")] as const;
    const names = 4 + unknown[0].length + 4 + unknown[1].length + 4 + known[0].length + 4 + known[1].length;
    // The largest packet_length, less padding_length, the longest padding, number and count, and one more extension.
    const large = ["\0", new Uint8Array(Limits.packetLength - 1 - 255 - 5 - names - 9)] as const;
    const [first, second] = [[unknown, known, large] as const, [large, known, unknown] as const].map((list) =>
      ExtInfo.encode({ extensions: new Map(list) }),
    );
    const received = converse(ours, peer.send(first ?? nothing, second ?? nothing));
    for (const event of received) {
      expect(event).toMatchObject({ type: "extInfo" });
      expect(event.type === "extInfo" && event.extensions.get("server-sig-algs")).toEqual(known[1]);
    }
    expect(received).toHaveLength(2);
  });

  it("is accepted twice, not three times (RFC 8308 section 2.4)", () => {
    const { ours, peer } = withRaw("client");
    const extInfo = ExtInfo.encode({ extensions: new Map([["server-sig-algs", utf8("ssh-ed25519")]]) });
    expect(failure(ours, peer.send(extInfo, extInfo))).toMatch('["extInfo","extInfo"]');
    expect(failure(ours, peer.send(extInfo))).toMatchObject({
      code: "protocol",
      message: expect.stringContaining("EXT_INFO at most 2 times"),
    });
  });
});
