/** Algorithm negotiation, RFC 4253 section 7.1. */
import type { Algorithms, Cipher, DirectionKeys } from "@postern/crypto";
import {
  aes128Ctr,
  aes128Gcm,
  aes256Gcm,
  chacha20Poly1305,
  compatibleAlgorithms,
  hmacSha2_256,
  modernAlgorithms,
} from "@postern/noble";
import { seededRandom } from "@postern/testkit";
import { KexInit, toHex, type ValuesOf } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { algorithmNames, initFor, negotiate, type Offer } from "../src/negotiate.ts";
import { classicalAlgorithms, converse, events, failure, machine, RawPeer, settle, withRaw } from "./raw-peer.ts";

type Init = ValuesOf<typeof KexInit>;
const offer: Offer = { ...compatibleAlgorithms, hostKeyAlgorithms: ["ssh-ed25519", "rsa-sha2-512"] };
const init = (more: Partial<Init> = {}): Init => ({ ...initFor(offer, new Uint8Array(16), [], false), ...more });

describe("negotiation", () => {
  it.each(["modern", "compatible"] as const)("can agree on nothing with SHA-1, CBC, RC4, DSS or group1: %s", (set) => {
    const { kex, hostKeys, ciphers, macs } = { modern: modernAlgorithms, compatible: compatibleAlgorithms }[set];
    for (const { name } of [...kex, ...hostKeys, ...ciphers, ...macs]) {
      expect(name).not.toMatch(/sha1\b|md5|cbc|arcfour|3des|dss|group1-|^ssh-rsa$|^hmac-sha1|none/);
    }
  });

  it("has no names before both KEXINIT messages have come", () => {
    const none = { kex: "", hostKey: "", cipherC2s: "", cipherS2c: "", macC2s: undefined, macS2c: undefined };
    expect(algorithmNames({}, false)).toEqual({
      ...none,
      compressionC2s: "none",
      compressionS2c: "none",
      postQuantum: false,
      strict: false,
    });
  });

  it("picks the client's first name that the server offers, in each list and in either role", () => {
    const theirs = init({
      kexAlgorithms: ["ecdh-sha2-nistp521", "curve25519-sha256"],
      serverHostKeyAlgorithms: ["rsa-sha2-512", "ssh-ed25519"],
      encryptionC2s: ["aes128-ctr", "aes256-ctr"],
      encryptionS2c: ["aes256-gcm@openssh.com", "aes128-ctr"],
      macC2s: ["hmac-sha2-512", "hmac-sha2-256"],
    });
    const asServer = negotiate("server", offer, theirs);
    expect([asServer.kex.name, asServer.hostKeyAlgorithm]).toEqual(["ecdh-sha2-nistp521", "rsa-sha2-512"]);
    expect([asServer.c2s.cipher.name, asServer.c2s.mac?.name, asServer.s2c.cipher.name]).toEqual([
      "aes128-ctr",
      "hmac-sha2-512",
      "aes256-gcm@openssh.com",
    ]);
    const asClient = negotiate("client", offer, theirs);
    expect([asClient.kex.name, asClient.hostKeyAlgorithm]).toEqual(["curve25519-sha256", "ssh-ed25519"]);
    expect([asClient.c2s.cipher.name, asClient.c2s.mac?.name]).toEqual(["aes256-ctr", "hmac-sha2-256"]);
  });

  it("compares names with their case (RFC 4251 section 6)", () => {
    const theirs = init({ encryptionC2s: ["AES128-CTR", "aes256-ctr"] });
    expect(negotiate("server", offer, theirs).c2s.cipher.name).toBe("aes256-ctr");
    expect(() => negotiate("server", offer, init({ kexAlgorithms: ["Curve25519-SHA256"] }))).toThrow("key exchange");
  });

  it("needs no common MAC if the cipher is an AEAD (RFC 5647 section 5.1)", () => {
    const aead = { ...offer, ciphers: [aes256Gcm], macs: [hmacSha2_256] };
    expect(negotiate("client", aead, init({ macC2s: ["umac-64"], macS2c: [] })).c2s.mac).toBeUndefined();
    const ctr = { ...offer, ciphers: [aes128Ctr], macs: [hmacSha2_256] };
    expect(() => negotiate("client", ctr, init({ macC2s: ["umac-64"] }))).toThrow(
      'expected a common MAC (client to server): we offer "hmac-sha2-256", the server offers "umac-64"',
    );
  });

  it.each([
    [
      "key exchange method",
      { kexAlgorithms: ["diffie-hellman-group14-sha1"] },
      /key exchange method: we offer "mlkem768x25519-sha256,.*", the server offers "diffie-hellman-group14-sha1"/,
    ],
    [
      "host key algorithm",
      { serverHostKeyAlgorithms: ["ssh-dss"] },
      /host key algorithm: we offer "ssh-ed25519,rsa-sha2-512", the server offers "ssh-dss"/,
    ],
    [
      "host key algorithm but ECDSA",
      { serverHostKeyAlgorithms: ["ssh-rsa", "ecdsa-sha2-nistp256"] },
      /"ssh-rsa,ecdsa-sha2-nistp256"; for its ECDSA host key pass algorithms: compatibleAlgorithms$/,
    ],
    [
      "cipher",
      { encryptionC2s: ["3des-cbc"] },
      /cipher \(client to server\): we offer "chacha20.*", the server offers "3des-cbc"/,
    ],
    ["cipher back", { encryptionS2c: ["arcfour"] }, /cipher \(server to client\): .*"arcfour"/],
    [
      "MAC",
      { encryptionC2s: ["aes128-ctr"], macC2s: ["hmac-sha1"] },
      /MAC \(client to server\): we offer "hmac-sha2.*", the server offers "hmac-sha1"/,
    ],
    ["MAC back", { encryptionS2c: ["aes128-ctr"], macS2c: [] }, /MAC \(server to client\): .* offers nothing/],
    ["compression", { compressionC2s: ["zlib"] }, /compression: we offer "none", the server offers "zlib"/],
    ["compression back", { compressionS2c: [] }, /compression: we offer "none", the server offers nothing/],
  ])("rejects lists without a common %s, and names both lists", (_list, theirs, message) => {
    expect(() => negotiate("client", offer, init(theirs))).toThrow(expect.objectContaining({ code: "negotiation" }));
    expect(() => negotiate("client", offer, init(theirs))).toThrow(message);
  });

  it("names the client's list in the error of a server", () => {
    expect(() => negotiate("server", offer, init({ kexAlgorithms: ["x"] }))).toThrow(/the client offers "x"/);
    const ecdsa = init({ serverHostKeyAlgorithms: ["ecdsa-sha2-nistp256"] });
    expect(() => negotiate("server", offer, ecdsa)).toThrow(/the client offers "ecdsa-sha2-nistp256"$/);
  });

  it("never picks a marker, even if both sides send it", () => {
    const marked = init({ kexAlgorithms: ["ext-info-c", "kex-strict-c-v00@openssh.com", "ext-info-s"] });
    const odd = { ...offer, kex: [{ ...(modernAlgorithms.kex[0] ?? expect.unreachable()), name: "ext-info-c" }] };
    expect(() => negotiate("server", odd, marked)).toThrow(/the client offers nothing/);
  });

  it("accepts a guess only if both sides prefer the same method and host key algorithm", () => {
    const guess = (more: Partial<Init>): boolean =>
      negotiate("server", offer, init({ firstKexPacketFollows: true, ...more })).ignoreGuess;
    expect(guess({})).toBe(false);
    expect(guess({ kexAlgorithms: ["ecdh-sha2-nistp256", "curve25519-sha256"] })).toBe(true);
    expect(guess({ serverHostKeyAlgorithms: ["rsa-sha2-512", "ssh-ed25519"] })).toBe(true);
    expect(guess({ kexAlgorithms: ["ecdh-sha2-nistp256"], firstKexPacketFollows: false })).toBe(false);
  });
});

describe("the names of the negotiated algorithms", () => {
  it("tell whether the key exchange is a hybrid", () => {
    for (const { name, isPostQuantum } of modernAlgorithms.kex) {
      const negotiated = negotiate("server", { ...offer, ...modernAlgorithms }, init({ kexAlgorithms: [name] }));
      expect(algorithmNames(negotiated, true)).toMatchObject({ kex: name, postQuantum: isPostQuantum === true });
    }
    expect(modernAlgorithms.kex.map(({ isPostQuantum }) => isPostQuantum)).toEqual(
      expect.arrayContaining([true, undefined]),
    );
  });
});

describe("machines", () => {
  it("send a new random cookie, no languages and no guess (RFC 4253 section 7.1)", () => {
    const cookies = (["client", "server"] as const).flatMap((role) => {
      const [first, second] = [1, 2].map((seed) => {
        const { peer } = withRaw(role, { random: seededRandom(`cookie ${seed}`) });
        const { cookie, ...sent } = KexInit.decode(peer.got[0] ?? expect.unreachable());
        expect(sent).toMatchObject({ languagesC2s: [], languagesS2c: [], firstKexPacketFollows: false, reserved: 0 });
        return toHex(cookie);
      });
      return [first, second];
    });
    expect(new Set(cookies.slice(0, 2)).size).toBe(2);
    expect(cookies.every((cookie) => cookie?.length === 32)).toBe(true);
  });

  it.each(["client", "server"] as const)("use another cipher in each direction, as a %s", (role) => {
    const ciphers = { c2s: aes128Gcm, s2c: chacha20Poly1305 };
    const [ours, theirs] =
      role === "client" ? ([ciphers.c2s, ciphers.s2c] as const) : ([ciphers.s2c, ciphers.c2s] as const);
    const keysOf = ({ key, iv, mac }: DirectionKeys, of: Cipher): DirectionKeys => ({
      key: key.slice(0, of.keySize),
      iv: iv.slice(0, of.ivSize),
      mac,
    });
    // Has the longest keys, because all derived keys of one letter begin with the same bytes (RFC 4253 section 7.2).
    const mixed: Cipher = {
      ...ours,
      keySize: chacha20Poly1305.keySize,
      ivSize: aes128Gcm.ivSize,
      sealer: (keys) => theirs.sealer(keysOf(keys, theirs)),
      opener: (keys) => ours.opener(keysOf(keys, ours)),
    };
    const peer = new RawPeer(role === "client" ? "server" : "client", {
      algorithms: { ...classicalAlgorithms, ciphers: [mixed] },
    });
    const { encode } = KexInit;
    try {
      const lists = { encryptionC2s: [ciphers.c2s.name], encryptionS2c: [ciphers.s2c.name] };
      Object.assign(KexInit, { encode: (values: Init) => encode({ ...values, ...lists }) });
      peer.start();
    } finally {
      Object.assign(KexInit, { encode });
    }
    const machineOfRole = machine(role, { algorithms: { ...classicalAlgorithms, ciphers: Object.values(ciphers) } });
    expect(converse(machineOfRole, peer).find(({ type }) => type === "keys")).toMatchObject({
      names: { cipherC2s: ciphers.c2s.name, cipherS2c: ciphers.s2c.name },
    });
    peer.got.length = 0;
    machineOfRole.send(Uint8Array.of(90, 1));
    peer.send(Uint8Array.of(90, 2));
    expect(converse(machineOfRole, peer)).toMatchObject([{ type: "payload", payload: Uint8Array.of(90, 2) }]);
    expect(peer.got).toEqual([Uint8Array.of(90, 1)]);
  });

  it("agree on every combination of cipher and MAC", () => {
    for (const cipher of compatibleAlgorithms.ciphers) {
      for (const mac of cipher.isAead ? [undefined] : compatibleAlgorithms.macs) {
        const algorithms: Algorithms = { ...compatibleAlgorithms, ciphers: [cipher], ...(mac && { macs: [mac] }) };
        const [client, server] = [
          machine("client", { algorithms }),
          machine("server", { algorithms: compatibleAlgorithms }),
        ];
        const [received] = settle(client, server);
        const names = { cipherC2s: cipher.name, cipherS2c: cipher.name, macC2s: mac?.name, macS2c: mac?.name };
        expect(received.find(({ type }) => type === "keys")).toMatchObject({ first: true, names });
      }
    }
  });

  it("agree on every key exchange method", () => {
    for (const kex of compatibleAlgorithms.kex) {
      const [client, server] = [
        machine("client", { algorithms: { ...compatibleAlgorithms, kex: [kex] } }),
        machine("server", { algorithms: compatibleAlgorithms }),
      ];
      settle(client, server);
      expect(client.sessionId).toEqual(server.sessionId);
      expect(client.sessionId).toHaveLength(kex.hash.size);
    }
  });

  it("fail on both sides without a common cipher, each with both lists", () => {
    const client = machine("client", { algorithms: { ...compatibleAlgorithms, ciphers: [aes128Ctr] } });
    const server = machine("server", { algorithms: { ...compatibleAlgorithms, ciphers: [aes256Gcm] } });
    server.receive(client.takeOutput() ?? expect.unreachable());
    client.receive(server.takeOutput() ?? expect.unreachable());
    for (const side of [client, server]) {
      const error = failure(side);
      expect(error).toMatchObject({ code: "negotiation" });
      expect(String(error)).toMatch(/"aes(128-ctr|256-gcm@openssh.com)".*"aes(128-ctr|256-gcm@openssh.com)"/);
    }
  });

  it("offer, as a server, only host key algorithms of their host keys", () => {
    const server = machine("server");
    const output = server.takeOutput() ?? expect.unreachable();
    const start = output.indexOf(10) + 1;
    const length = new DataView(output.buffer, output.byteOffset + start).getUint32(0);
    const payload = output.subarray(start + 5, start + 4 + length - (output[start + 4] ?? 0));
    expect(KexInit.decode(payload).serverHostKeyAlgorithms).toEqual(["ssh-ed25519"]);
    expect(events(server)).toEqual([]);
  });
});
