/** `diffie-hellman-group-exchange-sha256` (RFC 4419), in both roles. */
import { createHash } from "node:crypto";
import { modpGroup, toBigInt } from "@postern/crypto";
import { dhGroupExchangeSha256, modernAlgorithms, sha256, sshEd25519 } from "@postern/noble";
import {
  type Bytes,
  concat,
  fromHex,
  KexEcdhInit,
  KexInit,
  message,
  mpint,
  NewKeys,
  string,
  uint32,
  utf8,
  Writer,
} from "@postern/wire";
import { describe, expect, it } from "vitest";
import { exchangeHash } from "../src/exchange-hash.ts";
import { converse, events, failure, machine, RawPeer, settle } from "./raw-peer.ts";

const algorithms = { ...modernAlgorithms, kex: [dhGroupExchangeSha256], hostKeys: [sshEd25519] };
const Request = message(34, "KEX_DH_GEX_REQUEST", { min: uint32, preferred: uint32, max: uint32 });
const OldRequest = message(30, "KEX_DH_GEX_REQUEST_OLD", { preferred: uint32 });
const Group = message(31, "KEX_DH_GEX_GROUP", { prime: mpint, generator: mpint });
const Init = message(32, "KEX_DH_GEX_INIT", { clientPublic: string });
const Reply = message(33, "KEX_DH_GEX_REPLY", { hostKey: string, serverPublic: string, signature: string });

const { prime, generator } = modpGroup(2048);
/** Returns p + offset, without leading zeros. */
const plus = (offset: bigint, bytes: Bytes = prime): Bytes => unsigned(toBigInt(bytes) + offset);

function unsigned(value: bigint): Bytes {
  const hex = value.toString(16);
  return fromHex(hex.padStart(hex.length + (hex.length % 2), "0"));
}

/** Returns p = 101^2 * k that looks like a safe prime. Modulo p, 101 * k squared is 0, and 1 + 101 * k to the 101 is 1. */
function weakGroup(): { readonly p: bigint; readonly k: bigint } {
  const { accept } = dhGroupExchangeSha256.groupExchange ?? expect.unreachable();
  const last = 2n ** 2048n / 101n ** 2n - 8n;
  for (let k = last; k > last - 2000n; k -= 1n) {
    const p = 101n ** 2n * k;
    if (p % 4n !== 3n) continue;
    try {
      accept(Group.encode({ prime: unsigned(p), generator }));
      return { p, k };
    } catch {
      // A divisor below 100 shows that it is no safe prime.
    }
  }
  return expect.unreachable();
}

describe("a client", () => {
  /** A client whose server has sent its KEXINIT, and this server. */
  const started = (): [ReturnType<typeof machine>, RawPeer] => {
    const client = machine("client", { algorithms });
    const peer = new RawPeer("server", { algorithms }).start();
    client.receive(peer.writer.take() ?? expect.unreachable());
    events(client);
    return [client, peer];
  };

  it("requests 3072 bits, at least 2048 (RFC 8270) and at most 8192", () => {
    const [client, peer] = started();
    peer.receive(client.takeOutput());
    expect(peer.numbers).toEqual([KexInit.number, Request.number]);
    expect(Request.decode(peer.got[1] ?? expect.unreachable())).toEqual({ min: 2048, preferred: 3072, max: 8192 });
  });

  it("computes the same session identifier as a server, also in a rekey", () => {
    const [client, server] = [machine("client", { algorithms }), machine("server", { algorithms })];
    const [received] = settle(client, server);
    expect(received.find(({ type }) => type === "keys")).toMatchObject({ names: { kex: dhGroupExchangeSha256.name } });
    expect(client.sessionId).toEqual(server.sessionId);
    server.startRekey();
    const [again] = settle(client, server);
    expect(again.find(({ type }) => type === "keys")).toMatchObject({ first: false });
  });

  const size = "expected a group of 2048 to 8192 bits";
  const safe = "expected a group with a safe prime";
  const range = "expected a generator from 2 to p - 2";
  it.each([
    ["0", new Uint8Array(0), generator, size],
    ["1", Uint8Array.of(1), generator, size],
    ["a prime of 1024 bits", plus(0n).slice(0, 128), generator, `${size}, got 1024`],
    ["2047 bits", concat(Uint8Array.of(0x7f), prime.slice(1)), generator, `${size}, got 2047`],
    ["8193 bits", concat(Uint8Array.of(1), modpGroup(8192).prime), generator, `${size}, got 8193`],
    ["an even number", plus(-1n), generator, safe],
    ["a number 1 modulo 4", plus(2n), generator, safe],
    ["a multiple of 3", plus(4n), generator, safe],
    // A prime. It is 7 modulo 12, and no other prime below 100 divides the half.
    ["a prime whose half is a multiple of 3", plus(-15_016n), generator, safe],
    ["the generator 0", prime, new Uint8Array(0), range],
    ["the generator 1", prime, Uint8Array.of(1), range],
    ["the generator p - 1", prime, plus(-1n), range],
    ["the generator p", prime, prime, range],
  ])("rejects a group: %s (RFC 4419 section 3, RFC 8270)", (_title, p, g, message) => {
    const [client, peer] = started();
    const error = failure(client, peer.send(Group.encode({ prime: p, generator: g })));
    expect(error).toMatchObject({ code: "kex", message: expect.stringContaining(message) });
  });

  it.each([
    ["modulus", new Uint8Array(100_000).fill(0x7f), generator],
    ["generator", prime, new Uint8Array(100_000).fill(0x7f)],
  ])("rejects a %s of 100,000 bytes", (_title, p, g) => {
    const [client, peer] = started();
    const error = failure(client, peer.send(Group.encode({ prime: p, generator: g })));
    expect(error).toMatchObject({ code: expect.stringMatching(/^(kex|protocol)$/) });
  });

  it("accepts the largest group and the largest generator (RFC 4419 section 3)", () => {
    const accept = dhGroupExchangeSha256.groupExchange?.accept ?? expect.unreachable();
    expect(accept(Group.encode(modpGroup(8192)))).toMatchObject({ name: dhGroupExchangeSha256.name });
    expect(accept(Group.encode({ prime, generator: plus(-2n) }))).toMatchObject({ name: dhGroupExchangeSha256.name });
  });

  it("computes with the group although the memory of its message is reused", () => {
    const payload = Group.encode({ prime, generator });
    const accept = dhGroupExchangeSha256.groupExchange?.accept ?? expect.unreachable();
    const one = (size: number): Bytes => new Uint8Array(size).fill(1);
    const expected = accept(payload.slice()).start(one).clientPublic;
    const method = accept(payload);
    payload.fill(0xff);
    expect(method.start(one).clientPublic).toEqual(expected);
  });

  it.each([
    ["0", new Uint8Array(0)],
    ["1", Uint8Array.of(1)],
    ["p - 1", concat(Uint8Array.of(0), plus(-1n))],
    ["p", concat(Uint8Array.of(0), prime)],
    ["a negative number", prime],
    ["one with two leading zeros", concat(new Uint8Array(2), prime)],
    ["one of 100,000 bytes", new Uint8Array(100_000).fill(1)],
  ])("rejects the server's value %s (RFC 4419 section 3)", (_title, serverPublic) => {
    const [client, peer] = started();
    peer.send(Group.encode({ prime, generator }));
    peer.send(Reply.encode({ hostKey: new Uint8Array(1), serverPublic, signature: new Uint8Array(1) }));
    expect(failure(client, peer)).toMatchObject({ code: "kex" });
  });

  it.each([
    ["0", 2, (k: bigint) => 101n * k],
    ["1", 202, (k: bigint) => 1n + 101n * k],
    ["p - 1", 303, (k: bigint, p: bigint) => p - 1n - 101n * k],
  ])("rejects the secret %s of a group that is no safe prime (RFC 4419 section 3)", (_title, exponent, choose) => {
    const { p, k } = weakGroup();
    const method = dhGroupExchangeSha256.groupExchange?.accept(Group.encode({ prime: unsigned(p), generator }));
    // The first bit of the exponent is always set.
    const first = 2n ** 511n;
    const random = unsigned(first - (first % 202n) + 202n + BigInt(exponent));
    const exchange = method?.start(() => random.slice()) ?? expect.unreachable();
    const value = unsigned(choose(k, p));
    const body = (value[0] ?? 0) > 0x7f ? concat(Uint8Array.of(0), value) : value;
    expect(() => exchange.finish(body)).toThrow("expected a secret from 2 to p - 2");
  });

  it.each([
    ["NEWKEYS", NewKeys.encode({})],
    ["the reply before the group", Reply.encode({ hostKey: prime, serverPublic: prime, signature: prime })],
    ["a second KEXINIT", Uint8Array.of(KexInit.number)],
  ])("rejects %s in place of the group", (_title, payload) => {
    const [client, peer] = started();
    expect(failure(client, peer.send(payload))).toMatchObject({ code: "protocol" });
  });
});

describe("a server", () => {
  const answerTo = (request: { min: number; preferred: number; max: number }): unknown =>
    failure(
      machine("server", { algorithms }),
      new RawPeer("client", { algorithms }).start().send(Request.encode(request)),
    );

  it.each([
    [1024, 2048, 8192, 2048],
    [2048, 3072, 8192, 3072],
    [2048, 2049, 8192, 3072],
    [1024, 7680, 8192, 8192],
    [2048, 8192, 100_000, 8192],
    [2048, 16_384, 100_000, 8192],
    [1024, 1024, 2048, 2048],
    [4096, 4096, 4096, 4096],
  ])("offers for %i, %i and %i bits a group of %i", (min, preferred, max, bits) => {
    const choice = dhGroupExchangeSha256.groupExchange?.choose(Request.encode({ min, preferred, max }));
    expect(Group.decode(choice?.answer ?? expect.unreachable()).prime.length * 8).toBe(bits);
    expect(answerTo({ min, preferred, max })).toMatch("no failure");
  });

  it.each([
    [1024, 1024, 1024],
    [1024, 2047, 2047],
    [8193, 8193, 16_384],
    [4096, 2048, 8192],
    [2048, 8192, 4096],
    [0, 0, 0],
    [0xffff_ffff, 0xffff_ffff, 0xffff_ffff],
  ])("rejects a request for %i, %i and %i bits", (min, preferred, max) => {
    expect(answerTo({ min, preferred, max })).toMatchObject({ code: "kex" });
  });

  it.each([
    ["the request without bounds", OldRequest.encode({ preferred: 2048 })],
    ["KEX_DH_GEX_INIT before the request", Init.encode({ clientPublic: prime })],
    ["KEX_ECDH_INIT", KexEcdhInit.encode({ clientPublic: new Uint8Array(32) })],
  ])("rejects %s", (_title, payload) => {
    const server = machine("server", { algorithms });
    const peer = new RawPeer("client", { algorithms }).start();
    expect(failure(server, peer.send(payload))).toMatchObject({ code: "protocol" });
  });

  it("rejects message 30 in place of KEX_DH_GEX_INIT, which is 32 (RFC 4419 section 5)", () => {
    const server = machine("server", { algorithms });
    const request = Request.encode({ min: 2048, preferred: 2048, max: 8192 });
    const clientPublic = Uint8Array.of(0, ...prime.slice(0, -1), 0);
    const peer = new RawPeer("client", { algorithms }).start().send(request, KexEcdhInit.encode({ clientPublic }));
    expect(failure(server, peer)).toMatchObject({ code: "protocol" });
  });

  it("rejects a second request, so that a client gets one group for an exchange", () => {
    const server = machine("server", { algorithms });
    const request = Request.encode({ min: 2048, preferred: 2048, max: 8192 });
    const peer = new RawPeer("client", { algorithms }).start().send(request, request);
    expect(failure(server, peer)).toMatchObject({ code: "protocol" });
  });

  it.each([
    ["0", new Uint8Array(0)],
    ["1", Uint8Array.of(1)],
    ["p - 1", concat(Uint8Array.of(0), plus(-1n))],
    ["one of 100,000 bytes", new Uint8Array(100_000).fill(1)],
  ])("rejects the client's value %s before it computes a power", (_title, clientPublic) => {
    const server = machine("server", { algorithms });
    const request = Request.encode({ min: 2048, preferred: 2048, max: 2048 });
    const peer = new RawPeer("client", { algorithms }).start().send(request, Init.encode({ clientPublic }));
    expect(failure(server, peer)).toMatchObject({ code: "kex" });
  });

  it("exchanges keys with a raw client", () => {
    const server = machine("server", { algorithms });
    const peer = new RawPeer("client", { algorithms }).start();
    converse(server, peer);
    expect(server.sessionId).toEqual(peer.kex.sessionId);
  });
});

describe("the exchange hash of a group exchange", () => {
  it("covers the sizes and the group between the host key and the public values (RFC 4419 section 3)", () => {
    const text = (value: string): Bytes => utf8(value);
    const strings = ["V_C", "V_S", "I_C", "I_S", "K_S"].map(text);
    const [clientVersion, serverVersion, clientInit, serverInit, hostKey] = strings as [
      Bytes,
      Bytes,
      Bytes,
      Bytes,
      Bytes,
    ];
    const group = text("min || n || max || p || g");
    const [clientPublic, serverPublic, secret] = [text("e"), text("f"), text("K")];
    const writer = new Writer();
    for (const value of strings) writer.string(value);
    const hashed = writer.raw(group).string(clientPublic).string(serverPublic).raw(secret).finish();
    const inputs = {
      clientVersion,
      serverVersion,
      clientInit,
      serverInit,
      hostKey,
      clientPublic,
      serverPublic,
      secret,
    };
    expect(exchangeHash(sha256, { ...inputs, group })).toEqual(
      Uint8Array.from(createHash("sha256").update(hashed).digest()),
    );
  });
});
