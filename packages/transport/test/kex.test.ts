/** The first key exchange, RFC 4253 section 8, and strict kex (OpenSSH PROTOCOL section 1.10). */
import { ecdsaNistp256, sshEd25519 } from "@postern/noble";
import { randomChunks, seededRandom } from "@postern/testkit";
import {
  Debug,
  Disconnect,
  ExtInfo,
  GlobalRequest,
  Ignore,
  KexEcdhInit,
  KexEcdhReply,
  KexInit,
  NewKeys,
  Reader,
  ServiceRequest,
  SshError,
  Unimplemented,
  utf8,
  type ValuesOf,
  Writer,
} from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { describe, expect, it } from "vitest";
import { initFor } from "../src/negotiate.ts";
import type { Role } from "../src/version-exchange.ts";
import { converse, events, failure, hostKey, machine, options, RawPeer, settle } from "./raw-peer.ts";

const roles: Role[] = ["client", "server"];
const other = (role: Role): Role => (role === "client" ? "server" : "client");
const ignore = Ignore.encode({ data: utf8("x") });
const debug = Debug.encode({ alwaysDisplay: false, message: "x", language: "" });
const unimplemented = Unimplemented.encode({ sequence: 0 });

/** Encodes a KEXINIT. */
const init = (more: Partial<ValuesOf<typeof KexInit>> = {}): Uint8Array => {
  const made = options("server");
  return KexInit.encode({
    ...initFor({ ...made.algorithms, hostKeyAlgorithms: ["ssh-ed25519"] }, new Uint8Array(16), [], false),
    ...more,
  });
};

describe("the first key exchange", () => {
  it("computes the same session identifier on both sides, under every chunking", () => {
    const cuts = [
      (bytes: Uint8Array) => [bytes],
      (bytes: Uint8Array) => Array.from(bytes, (byte) => Uint8Array.of(byte)),
      (bytes: Uint8Array) => randomChunks(bytes, seededRandom("cuts")),
    ];
    const ids = cuts.map((cut) => {
      const [client, server] = [machine("client"), machine("server")];
      const [received] = settle(client, server, cut);
      expect(received.map(({ type }) => type)).toEqual(["identified", "hostKey", "resumed", "keys", "extInfo"]);
      expect(client.sessionId).toEqual(server.sessionId);
      return client.sessionId ?? expect.unreachable();
    });
    for (const id of ids) expect(id).toEqual(ids[0]);
  });

  it("takes one flight each way after the versions", () => {
    const [client, server] = [machine("client"), machine("server")];
    const turns = [];
    for (let turn = 0; turn < 3; turn++) {
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const) {
        const output = from.takeOutput();
        if (output !== undefined) to.receive(output);
        events(to);
        turns.push(output !== undefined);
      }
    }
    // Versions and KEXINITs; KEX_ECDH_INIT; reply, NEWKEYS and EXT_INFO; NEWKEYS.
    expect(turns).toEqual([true, true, true, true, true, false]);
  });

  it("emits hostKey only after a valid signature, and waits for acceptHostKey", () => {
    const [client, server] = [machine("client"), machine("server")];
    const seen: unknown[] = [];
    for (let turn = 0; turn < 2; turn++) {
      server.receive(client.takeOutput() ?? expect.unreachable());
      events(server);
      client.receive(server.takeOutput() ?? expect.unreachable());
      for (let event = client.next(); event !== undefined; event = client.next()) seen.push(event);
    }
    expect(seen.at(-1)).toMatchObject({ type: "hostKey", algorithm: "ssh-ed25519", hostKey: hostKey().publicKey });
    expect([client.wantsInput, client.writable, client.deadline]).toEqual([false, false, undefined]);
    expect(client.takeOutput()).toBeUndefined();
    client.acceptHostKey();
    expect([client.wantsInput, client.writable]).toEqual([true, true]);
    expect(() => client.acceptHostKey()).toThrow(expect.objectContaining({ code: "misuse" }));
  });

  it("fails on a forged signature", () => {
    const forger = { ...hostKey(), sign: (data: Uint8Array) => hostKey().sign(data.slice(1), "ssh-ed25519") };
    const [client, server] = [machine("client"), machine("server", { hostKeys: [forger] })];
    expect(() => settle(client, server)).toThrow(
      expect.objectContaining({ code: "kex", message: expect.stringContaining("valid ssh-ed25519 signature") }),
    );
  });

  it("fails on a malformed host key with the code kex", () => {
    const { publicKey } = hostKey();
    for (const blob of [
      new Uint8Array(0),
      publicKey.slice(0, -1),
      publicKey.slice(4),
      Uint8Array.of(...publicKey, 0),
    ]) {
      const malformed = { ...hostKey(), publicKey: blob };
      const [client, server] = [machine("client"), machine("server", { hostKeys: [malformed] })];
      const cause = expect.objectContaining({ code: "key" });
      expect(() => settle(client, server)).toThrow(
        expect.objectContaining({ code: "kex", message: expect.stringContaining("host key"), cause }),
      );
    }
  });

  it("verifies with the negotiated algorithm, although the client prefers another (RFC 4253 section 7.1)", () => {
    const { algorithms } = options("client");
    const hostKeys = [ecdsaNistp256, sshEd25519];
    const client = machine("client", { algorithms: { ...algorithms, hostKeys } });
    const [received] = settle(client, machine("server"));
    expect(received.find(({ type }) => type === "hostKey")).toMatchObject({ algorithm: "ssh-ed25519" });
    expect(client.host?.hostKey).toEqual(hostKey().publicKey);
  });

  it("fails if a byte of KEXINIT is altered, because the exchange hash covers it", () => {
    for (let at = 0; at < 20; at++) {
      const client = machine("client");
      const server = machine("server");
      server.receive(client.takeOutput() ?? expect.unreachable());
      events(server);
      const inits = server.takeOutput() ?? expect.unreachable();
      // Bytes of the cookie and of the names, past the version line and the packet header.
      const spot = inits.indexOf(10) + 8 + at;
      inits[spot] = (inits[spot] ?? 0) ^ 1;
      client.receive(inits);
      expect(() => {
        events(client);
        settle(client, server);
      }, `byte ${at}`).toThrow(SshError);
    }
  });

  it("rejects a public value of small order or of the wrong length (RFC 8731 section 3)", () => {
    const server = machine("server");
    const peer = new RawPeer("client").send(
      init({ kexAlgorithms: ["curve25519-sha256"] }),
      KexEcdhInit.encode({ clientPublic: new Uint8Array(32) }),
    );
    expect(failure(server, peer)).toMatchObject({ code: "kex" });
    const short = new RawPeer("client").send(init(), KexEcdhInit.encode({ clientPublic: new Uint8Array(31) }));
    expect(failure(machine("server"), short)).toMatchObject({ code: "kex" });
  });

  it("times out", () => {
    const [client, server] = [machine("client"), machine("server")];
    server.receive(client.takeOutput() ?? expect.unreachable());
    events(server);
    expect(() => server.tick(Limits.kexTimeoutMs)).toThrow(
      expect.objectContaining({ code: "timeout", message: expect.stringContaining("key exchange") }),
    );
  });

  it("restarts the timeout after the decision about the host key", () => {
    const client = machine("client");
    const peer = new RawPeer("server");
    peer.start();
    client.receive(peer.writer.take() ?? expect.unreachable());
    expect(client.next()?.type).toBe("identified");
    expect(client.next()).toBeUndefined();
    peer.receive(client.takeOutput());
    client.receive(peer.writer.take() ?? expect.unreachable());
    expect(client.next()?.type).toBe("hostKey");
    const decided = 10 * Limits.kexTimeoutMs;
    client.acceptHostKey();
    client.tick(decided);
    expect(client.deadline).toBe(decided + Limits.kexTimeoutMs);
  });

  it("reports a connection that ends before the peer's NEWKEYS", () => {
    const client = machine("client");
    expect(failure(client)).toMatch("no failure");
    client.receive(utf8("SSH-2.0-x\r\n"));
    events(client);
    expect(client.inputEnded()).toMatchObject({
      code: "closed",
      message: expect.stringContaining("during the first key exchange"),
    });
  });
});

describe.each(roles)("unexpected messages, received by a %s", (role) => {
  /** A machine that has received nothing but the version line. */
  const fresh = (): [ReturnType<typeof machine>, RawPeer] => [machine(role), new RawPeer(other(role))];

  it.each([
    ["NEWKEYS", NewKeys.encode({})],
    ["KEX_ECDH_INIT", KexEcdhInit.encode({ clientPublic: new Uint8Array(32) })],
    ["SERVICE_REQUEST", ServiceRequest.encode({ service: "ssh-userauth" })],
    ["EXT_INFO", ExtInfo.encode({ extensions: new Map() })],
    ["GLOBAL_REQUEST", GlobalRequest.encode({ name: "x", wantReply: false, specificData: new Uint8Array(0) })],
    ["an unknown message", Uint8Array.of(200)],
    ["message 0", Uint8Array.of(0)],
  ])("rejects %s before KEXINIT", (_name, payload) => {
    const [ours, peer] = fresh();
    expect(failure(ours, peer.send(payload))).toMatchObject({ code: "protocol" });
  });

  it("rejects a second KEXINIT, also in place of a guessed packet", () => {
    const [ours, peer] = fresh();
    expect(failure(ours, peer.send(init(), init()))).toMatchObject({
      code: "protocol",
      message: expect.stringContaining("got message 20"),
    });
    const [again, guesser] = fresh();
    const wrong = init({ firstKexPacketFollows: true, kexAlgorithms: ["x", "curve25519-sha256"] });
    expect(failure(again, guesser.send(wrong, init()))).toMatchObject({ code: "protocol" });
  });

  it("rejects NEWKEYS in place of the key exchange message", () => {
    const [ours, peer] = fresh();
    expect(failure(ours, peer.send(init(), NewKeys.encode({})))).toMatchObject({ code: "protocol" });
  });

  it.each(
    ["the first exchange", "a rekey"].flatMap((when) => [
      [when, "KEX_ECDH_INIT", KexEcdhInit.encode({ clientPublic: new Uint8Array(32) })] as const,
      [when, "an unknown message of the method", Uint8Array.of(49)] as const,
      [when, "NEWKEYS with a byte behind it", Uint8Array.of(NewKeys.number, 0)] as const,
    ]),
  )("rejects, in %s, %s in place of NEWKEYS", (when, _name, wrong) => {
    const [ours, peer] = fresh();
    let replace = true;
    const send = peer.writer.send.bind(peer.writer);
    peer.writer.send = (head, body) => send(replace && head[0] === NewKeys.number ? wrong : head, body);
    peer.start();
    if (when === "a rekey") {
      replace = false;
      converse(ours, peer);
      replace = true;
      ours.startRekey();
    }
    expect(() => converse(ours, peer)).toThrow(expect.objectContaining({ code: "protocol" }));
  });

  it("rejects the message of the other role", () => {
    const [ours, peer] = fresh();
    const wrong =
      role === "client"
        ? KexEcdhInit.encode({ clientPublic: new Uint8Array(32) })
        : KexEcdhReply.encode({
            hostKey: new Uint8Array(1),
            serverPublic: new Uint8Array(32),
            signature: new Uint8Array(1),
          });
    expect(failure(ours, peer.send(init(), wrong))).toMatchObject({ code: "protocol" });
  });

  it("accepts IGNORE, DEBUG and UNIMPLEMENTED without strict kex, within a limit (RFC 4253 section 11)", () => {
    const [ours, peer] = fresh();
    peer.send(ignore, debug, unimplemented, init(), debug, ignore);
    expect(failure(ours, peer)).toMatch(/"identified","debug","unimplemented","debug"/);
    for (let n = 5; n < Limits.strayBeforeLogin; n++) peer.send(ignore);
    expect(failure(ours, peer)).toMatch("no failure");
    expect(failure(ours, peer.send(ignore))).toMatchObject({
      code: "protocol",
      message: expect.stringContaining(`at most ${Limits.strayBeforeLogin}`),
    });
  });

  it("requires KEXINIT as the first packet under strict kex", () => {
    for (const stray of [ignore, debug, unimplemented]) {
      const [ours, peer] = fresh();
      peer.send(stray);
      peer.start();
      expect(failure(ours, peer)).toMatchObject({
        code: "protocol",
        message: expect.stringContaining("KEXINIT first (strict kex)"),
      });
    }
  });

  it("rejects every other message during the first exchange under strict kex", () => {
    for (const stray of [ignore, debug, unimplemented, Uint8Array.of(200)]) {
      for (const point of [0, 1, 2]) {
        const [ours, peer] = fresh();
        peer.start();
        // Inserts the stray message after `point` packets of the peer.
        const error = sendBetween(ours, peer, stray, point);
        if (point < (role === "client" ? 3 : 2)) expect(error, `after ${point}`).toMatchObject({ code: "protocol" });
      }
    }
  });

  it("handles DISCONNECT before KEXINIT, and ignores every message after it", () => {
    const [ours, peer] = fresh();
    peer.send(Disconnect.encode({ reason: 2, description: "no", language: "" }), Uint8Array.of(200));
    ours.receive(peer.writer.take() ?? expect.unreachable());
    expect(events(ours).at(-1)).toEqual({ type: "disconnect", reason: 2, description: "no" });
    expect(events(ours)).toEqual([]);
  });
});

/** Runs the exchange, and inserts `stray` after the first `point` packets of the peer. */
function sendBetween(ours: ReturnType<typeof machine>, peer: RawPeer, stray: Uint8Array, point: number): unknown {
  const send = peer.writer.send.bind(peer.writer);
  // KEXINIT is already sent.
  let sent = 1;
  if (point === 0) send(stray);
  peer.writer.send = (head, body) => {
    send(head, body);
    if (sent++ === point) send(stray);
  };
  try {
    converse(ours, peer);
    return "no failure";
  } catch (error) {
    return error;
  }
}

/** Returns the KEXINIT with a comma at the end of each list. */
function withCommas(payload: Uint8Array): Uint8Array {
  const reader = new Reader(payload, "KEXINIT");
  const writer = new Writer().raw(reader.raw(17));
  for (let list = 0; list < 10; list++) writer.text(`${reader.text()},`);
  return writer.raw(reader.rest()).finish();
}

describe.each(roles)("KEXINIT with empty names, as libssh before 0.11 sends it, received by a %s", (role) => {
  it("ignores the empty names, and hashes the received bytes", () => {
    const [ours, peer] = [machine(role), new RawPeer(other(role))];
    const { encode } = KexInit;
    try {
      Object.assign(KexInit, { encode: (values: ValuesOf<typeof KexInit>) => withCommas(encode(values)) });
      peer.start();
    } finally {
      Object.assign(KexInit, { encode });
    }
    expect(converse(ours, peer).map(({ type }) => type)).toContain("keys");
    expect(ours.sessionId).toEqual(peer.kex.sessionId);
  });
});

describe("a guessed key exchange packet (RFC 4253 section 7)", () => {
  const clientPublic =
    options("client").algorithms.kex[0]?.start(seededRandom("guess")).clientPublic ?? expect.unreachable();
  const guess = KexEcdhInit.encode({ clientPublic });

  it("is used if it is right", () => {
    const server = machine("server");
    const peer = new RawPeer("client").send(init({ firstKexPacketFollows: true }), guess);
    expect(failure(server, peer)).toMatch('["identified","sign","resumed"]');
  });

  it("is ignored if it is wrong, and the next packet is used", () => {
    const server = machine("server");
    const wrong = init({ firstKexPacketFollows: true, kexAlgorithms: ["ecdh-sha2-nistp256", "curve25519-sha256"] });
    const peer = new RawPeer("client").send(wrong, KexEcdhInit.encode({ clientPublic: new Uint8Array(65) }));
    expect(failure(server, peer)).toMatch('["identified"]');
    expect(failure(server, peer.send(guess))).toMatch('["sign","resumed"]');
  });
});
