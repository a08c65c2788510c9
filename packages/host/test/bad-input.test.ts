/** Options of wrong types: each throws `misuse` at once, and no secret appears in the message. */

import { hashPassword, policy } from "@postern/web";
import { toBase64, utf8 } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { authorizedKeys, type HostLoginAttempt } from "../src/index.ts";
import { grantsOf, type Permissions } from "../src/permissions.ts";
import { hostKey, hostWorld } from "./world.ts";

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIINHbWofCGK8A6Dlbvf8crnLpqr14HCMntUGL64eyfxz";
const other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIINHbWofCGK8A6Dlbvf8crnLpqr14HCMntUGL64eyfx0";
const misuse = (message: RegExp): unknown =>
  expect.objectContaining({ code: "misuse", message: expect.stringMatching(message) });
const byKey: HostLoginAttempt = {
  method: "publickey",
  user: "ann",
  publicKey: hostKey.publicKey,
  algorithm: "ssh-ed25519",
  proved: true,
  origin: undefined,
  passed: [],
  signal: new AbortController().signal,
};

describe("policy", () => {
  it.each<[unknown, RegExp]>([
    [Promise.resolve("secret"), /got a Promise; did you forget await\?/],
    [null, /got null/],
    [[], /got an array/],
    [["secret"], /got an array/],
    [0, /got a number/],
    [true, /got a boolean/],
    [{}, /got an object/],
    [utf8("secret"), /an instance of Uint8Array/],
    [() => "secret", /got a function/],
    ["", /got an empty string/],
    ["x".repeat(1025), /at most 1024 bytes/],
  ])("refuses the password %o", (password, message) => {
    expect(() => policy({ ann: { password: password as string } })).toThrow(misuse(message));
  });

  it.each([
    "{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9gzRWFj",
    "{secret",
    "$ecret",
    "$secret$",
    "$1$abcdefgh$secret",
    "$2b$10$secret",
    "$6$rounds=5000$secret$hash",
    "$Y$secret",
    "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$secret",
    "*",
    "!",
    "!!",
    "!$6$secret$hash",
    "pbkdf2_sha256$600000$secret$hash",
    "pbkdf2:sha256:600000$secret$hash",
    "scrypt:32768:8:1$secret$hash",
    "SCRAM-SHA-256$4096:secret",
  ])("refuses %s, which looks like an unsupported hash, instead of taking it as a password", (password) => {
    expect(() => policy({ ann: { password } })).toThrow(misuse(/^(?!.*secret).*hashPassword/i));
  });

  it.each(["Shadow:1", "sharon$99", "shamrock$5", "scramble$1", "md5sum", "argon"])(
    "accepts %s, which only begins like the name of a hash",
    async (password) => {
      const attempt: HostLoginAttempt = { ...byKey, method: "password", password };
      expect(await policy({ ann: { password } })(attempt)).not.toBe(false);
    },
  );

  it("accepts the hash of a password that looks like an unsupported hash", async () => {
    const authorize = policy({ ann: { password: await hashPassword("{SSHA}x", { ln: 4, r: 8, p: 1 }) } });
    const attempt: HostLoginAttempt = { ...byKey, method: "password", password: "{SSHA}x" };
    expect(await authorize(attempt)).not.toBe(false);
  });

  it.each([
    ["$scrypt$ln=4,r=8,p=1$c2FsdHNhbHQ$aGFza", "a hash"],
    ["$scrypt$ln=4,r=8,p=1$c2Fsd$aGFzaGhhc2g", "a salt"],
    ["$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$aGFza", "a hash"],
  ])("refuses %s: base64 of %s with 4n + 1 characters (RFC 4648 section 4)", (password) => {
    expect(() => policy({ ann: { password } })).toThrow(misuse(/hash/));
  });

  it.each<[unknown, RegExp]>([
    [null, /got null/],
    [Promise.resolve(key), /got a Promise; did you forget await\?/],
    [utf8(key), /an instance of Uint8Array/],
    [[null], /got null/],
    [[utf8(key)], /an instance of Uint8Array/],
    [{}, /got an object/],
    [new Map(), /an instance of Map/],
    [[], /without a usable key/],
  ])("refuses the keys %o", (keys, message) => {
    expect(() => policy({ ann: { keys: keys as string } })).toThrow(misuse(message));
  });

  it("accepts keys as a list of lines", async () => {
    expect(await policy({ ann: { keys: [other, key] } })(byKey)).not.toBe(false);
    expect(await policy({ ann: { keys: [other] } })(byKey)).toBe(false);
    expect(authorizedKeys([other, `magic ${key}`]).refused).toMatchObject([{ line: 2 }]);
  });

  it.each([undefined, null, 5, "test", [], new Map([["ann", { password: "x" }]]), Promise.resolve({})])(
    "refuses the table %o",
    (users) => {
      expect(() => policy(users as never)).toThrow(misuse(/^expected/));
    },
  );

  it.each([null, 5, [], Promise.resolve({ password: "secret" })])("refuses the user %o", (user) => {
    expect(() => policy({ ann: user as never })).toThrow(misuse(/^expected/));
  });

  it.each<[unknown, RegExp]>([
    [null, /got null/],
    [8080, /got a number/],
    [[null], /got null/],
    [[8080], /got a number/],
    [[["localhost:*"]], /got an array/],
    [Promise.resolve(["localhost:*"]), /got a Promise/],
  ])("refuses the permissions %o", (permit, message) => {
    for (const name of ["permitListen", "permitOpen"]) {
      expect(() => policy({ ann: { password: "secret", [name]: permit } })).toThrow(misuse(message));
    }
  });
});

describe("a permission that is a function", () => {
  it("permits only with true, also together with the permissions of a key", async () => {
    for (const answer of [Promise.resolve(false), 1, "yes", {}]) {
      const permit = (() => answer) as unknown as () => boolean;
      const user = { permitListen: permit, permitOpen: permit };
      const alone = grantsOf(user);
      const line = `permitlisten="*:*",permitopen="*:*" ${key}`;
      const both = grantsOf((await policy({ ann: { keys: line, ...user } })(byKey)) as Permissions);
      for (const grants of [alone, both]) {
        expect([grants.mayListen("localhost", 8080), grants.mayOpen("db", 5432)]).toEqual([false, false]);
      }
    }
  });
});

describe("hashPassword", () => {
  it.each([undefined, null, "", Promise.resolve("secret"), 5, utf8("secret"), "x".repeat(1025)])(
    "refuses the password %o",
    async (password) => {
      await expect(hashPassword(password as string, { ln: 4 })).rejects.toMatchObject({ code: "misuse" });
    },
  );

  it.each([{ ln: "4" }, { ln: 4.5 }, { ln: Number.NaN }, { r: "8" }, { p: null }, { n: 4 }, null])(
    "refuses the cost %o",
    async (cost) => {
      await expect(hashPassword("secret", cost as never)).rejects.toMatchObject({ code: "misuse" });
    },
  );
});

describe("authorizedKeys", () => {
  it.each([undefined, null, 5, utf8(key), [5], Promise.resolve(key)])("refuses %o", (text) => {
    expect(() => authorizedKeys(text as never)).toThrow(misuse(/^expected/));
  });
});

describe("TunnelHost", () => {
  const { sign, publicKey, algorithms } = hostKey;

  it.each<[unknown, RegExp]>([
    [{ hostKeys: hostKey }, /got an object/],
    [{ hostKeys: Promise.resolve([hostKey]) }, /got a Promise/],
    [{ hostKeys: [null] }, /got null/],
    [{ hostKeys: [hostKey, Promise.resolve(hostKey)] }, /got a Promise; did you forget await\?/],
    [{ hostKeys: [toBase64(publicKey)] }, /got a string/],
    [{ hostKeys: [{ publicKey, algorithms }] }, /signers/],
    [{ hostKeys: [{ publicKey, sign, algorithms: "ssh-ed25519" }] }, /signers/],
    [{ hostKeys: [{ publicKey: "x", sign, algorithms }] }, /signers/],
    [{ authorize: Promise.resolve(() => true) }, /got a Promise; did you forget await\?/],
    [{ authorize: null }, /got null/],
    [{ gatewayPorts: ["no"] }, /got an array/],
    [{ gatewayPorts: true }, /got a boolean/],
    [{ methods: "password" }, /got a string/],
    [{ methods: null }, /got null/],
    [{ methods: [] }, /methods/],
    [{ methods: ["pasword"] }, /methods/],
    [{ methods: [null] }, /methods/],
    [{ banner: 5 }, /got a number/],
    [{ banner: null }, /got null/],
    [{ tap: { packet() {} } }, /expected tap to be a function, got an object/],
    [{ algorithms: null }, /got null/],
    [{ algorithms: { kex: "curve25519-sha256" } }, /algorithms.kex/],
    [{ algorithms: { ciphers: [null] } }, /algorithms.ciphers/],
    [{ algorithms: { hostKeys: ["ssh-ed25519"] } }, /algorithms.hostKeys/],
    [{ rekey: null }, /got null/],
    [{ rekey: { bytes: "1" } }, /rekey.bytes.*got a string/],
    [{ rekey: { bytes: 5n } }, /rekey.bytes.*got a bigint/],
    [{ rekey: { packets: 0 } }, /rekey.packets.*got 0/],
    [{ rekey: { ms: Number.NaN } }, /rekey.ms.*got NaN/],
    [{ rekey: { ms: null } }, /rekey.ms.*got null/],
    [{ keepAlive: null }, /got null/],
    [{ keepAlive: 30_000 }, /got a number/],
    [{ keepAlive: { intervalMs: 0, countMax: 0 } }, /keepAlive.countMax/],
    [{ keepAlive: { intervalMs: "30000" } }, /keepAlive.intervalMs.*got a string/],
    [{ keepAlive: { countMax: Number.NaN } }, /keepAlive.countMax.*got NaN/],
    [{ limits: null }, /got null/],
    [{ limits: [] }, /got an array/],
    [{ limits: Promise.resolve({}) }, /got a Promise/],
    [{ limits: { channels: Symbol("x") } }, /limits.channels.*got a symbol/],
    [{ limits: { channels: Number.NaN } }, /limits.channels.*got NaN/],
    [{ limits: { visitorsPerSource: "5" } }, /limits.visitorsPerSource.*got a string/],
    [{ limits: { visitorsPerForwarding: -1 } }, /limits.visitorsPerForwarding.*got -1/],
    [{ limits: { memory: Number.POSITIVE_INFINITY } }, /limits.memory.*got Infinity/],
    [{ limits: { loginTimeoutMs: 0 } }, /limits.loginTimeoutMs.*got 0/],
    [{ limits: { targetTimeoutMs: 0 } }, /limits.targetTimeoutMs.*got 0/],
    [{ limits: { startups: null } }, /got null/],
    [{ limits: { startups: { start: "10" } } }, /limits.startups.start.*got a string/],
    [{ limits: { penalties: true } }, /got a boolean/],
    [{ limits: { penalties: null } }, /got null/],
    [{ limits: { penalties: { delayMs: Number.NaN } } }, /limits.penalties.delayMs.*got NaN/],
  ])("refuses the options %o", (options, message) => {
    expect(() => hostWorld(options as never)).toThrow(misuse(message));
  });

  it("does not convert invalid options to strings, which could throw", () => {
    const hostile = { toString: () => ({}) };
    for (const options of [{ gatewayPorts: hostile }, { banner: hostile }, { limits: { channels: hostile } }]) {
      expect(() => hostWorld(options as never)).toThrow(misuse(/got an object/));
    }
  });

  it.each<[unknown, RegExp]>([
    [{ drainMs: Number.NaN }, /drainMs.*got NaN/],
    [{ drainMs: -1 }, /drainMs.*got -1/],
    [{ drainMs: "5" }, /drainMs.*got a string/],
    [{ drainMs: null }, /drainMs.*got null/],
    [{ drain: 5 }, /did you mean "drainMs"/],
    [5, /got a number/],
    [null, /got null/],
  ])("refuses close(%o) and stays open", async (options, message) => {
    const world = hostWorld();
    await expect(world.host.close(options as never)).rejects.toEqual(misuse(message));
    const client = await world.client();
    await client.close();
  });

  it.each<[unknown, RegExp]>([
    [{ origin: { host: 5, port: 1 } }, /origin/],
    [{ origin: "192.0.2.1" }, /origin/],
    [{ from: "192.0.2.1" }, /unknown option "from"/],
  ])("refuses serve with %o and drops the pipe", async (options, message) => {
    const world = hostWorld();
    const { served, closed } = world.serve(options as never);
    await expect(served).rejects.toEqual(misuse(message));
    await closed;
    expect(world.host.clients).toEqual([]);
  });

  it("serves a client whose address is no longer known", async () => {
    const world = hostWorld();
    const client = await world.client({ origin: { host: undefined, port: undefined } as never });
    expect(world.host.clients[0]?.origin).toBeUndefined();
    await client.close();
  });
});
