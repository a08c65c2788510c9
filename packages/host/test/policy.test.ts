import { parsePublicKey } from "@postern/keys";
import { argon2id, scrypt, sha256 } from "@postern/noble";
import { hashPassword, policy } from "@postern/web";
import { ServerLimits } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { authorizedKeys, type HostLoginAttempt } from "../src/index.ts";
import { storedPassword as storedPasswordWith } from "../src/password-hash.ts";
import { grantsOf, type Permissions } from "../src/permissions.ts";

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIINHbWofCGK8A6Dlbvf8crnLpqr14HCMntUGL64eyfxz";
const { blob } = parsePublicKey(key);
const dsaKey = "ssh-dss AAAAB3NzaC1kc3M=";
const origin = { host: "192.0.2.1", port: 1 };
const context = { origin, passed: [], signal: new AbortController().signal };

const byPassword = (user: string, password: string): HostLoginAttempt => ({
  method: "password",
  user,
  password,
  ...context,
});
const byKey = (user: string): HostLoginAttempt => ({
  method: "publickey",
  user,
  publicKey: blob,
  algorithm: "ssh-ed25519",
  proved: true,
  ...context,
});
const byQuestions = (user: string, ...answers: string[]): HostLoginAttempt => ({
  method: "keyboard-interactive",
  user,
  submethods: [],
  ...context,
  ask: () => Promise.resolve(answers),
});

describe("policy", () => {
  const authorize = policy({
    ann: { password: "secret", permitListen: ["localhost:*"] },
    bob: { keys: `permitlisten="8080" ${key}` },
    eve: { keys: key, permitListen: ["localhost:8080"], permitOpen: ["db:5432"] },
  });

  it("lists the methods of its users", () => {
    expect(authorize.methods).toEqual(["publickey", "password", "keyboard-interactive"]);
    expect(policy({ bob: { keys: key } }).methods).toEqual(["publickey"]);
    expect(policy({ ann: { password: "secret" } }).methods).toEqual(["password", "keyboard-interactive"]);
  });

  it.each([
    [byPassword("ann", "secret"), true],
    [byPassword("ann", "Secret"), false],
    [byPassword("ann", ""), false],
    [byPassword("bob", ""), false],
    [byPassword("nobody", "secret"), false],
    [byPassword("__proto__", "secret"), false],
    [byPassword("constructor", "secret"), false],
    [byQuestions("ann", "secret"), true],
    [byQuestions("ann", "wrong"), false],
    [byQuestions("ann"), false],
    [byQuestions("nobody", "secret"), false],
    [byKey("bob"), true],
    [byKey("ann"), false],
    [byKey("nobody"), false],
    [{ method: "none", user: "ann", ...context } as const, false],
  ])("decides %o", async (attempt, accepted) => {
    expect((await authorize(attempt)) !== false).toBe(accepted);
  });

  it("asks an unknown user what it asks every user (RFC 4256 3.1)", async () => {
    const asked: unknown[] = [];
    for (const user of ["ann", "bob", "nobody"]) {
      const ask: typeof attempt.ask = (request) => {
        asked.push(request);
        return Promise.resolve(["wrong"]);
      };
      const attempt = byQuestions(user) as HostLoginAttempt & { method: "keyboard-interactive" };
      expect(await authorize({ ...attempt, ask })).toBe(false);
    }
    expect(asked).toEqual(
      Array(3).fill({ name: "", instruction: "", prompts: [{ prompt: "Password: ", echo: false }] }),
    );
  });

  it("grants what both the user's entry and the key's line allow", async () => {
    const may = async (attempt: HostLoginAttempt) => grantsOf((await authorize(attempt)) as Permissions);
    const ann = await may(byPassword("ann", "secret"));
    expect([ann.mayListen("localhost", 0), ann.mayListen("", 0), ann.mayOpen("db", 5432)]).toEqual([
      true,
      false,
      false,
    ]);
    const bob = await may(byKey("bob"));
    expect([bob.mayListen("", 8080), bob.mayListen("", 8081), bob.mayOpen("db", 5432)]).toEqual([true, false, false]);
    const eve = await may(byKey("eve"));
    expect([eve.mayListen("localhost", 8080), eve.mayListen("", 8080), eve.mayOpen("db", 5432)]).toEqual([
      true,
      false,
      true,
    ]);
    const both = policy({ eve: { keys: `permitlisten="9090" ${key}`, permitListen: ["localhost:*"] } });
    const narrow = grantsOf((await both(byKey("eve"))) as Permissions);
    expect([narrow.mayListen("localhost", 9090), narrow.mayListen("localhost", 8080)]).toEqual([true, false]);
  });

  it("checks the address of the client", async () => {
    const near = policy({ bob: { keys: `from="192.0.2.0/24" ${key}` } });
    expect(await near(byKey("bob"))).not.toBe(false);
    expect(await near({ ...byKey("bob"), origin: { host: "198.51.100.1", port: 1 } })).toBe(false);
    expect(await near({ ...byKey("bob"), origin: undefined })).toBe(false);
  });

  it.each([
    [{ ann: { pasword: "secret" } }, /did you mean "password"/],
    [{ ann: {} }, /expected a password or keys for "ann"/],
    [{ ann: { keys: "# none" } }, /expected a password or keys for "ann"/],
    [{ ann: { keys: authorizedKeys(dsaKey) } }, /expected a password or keys for "ann"/],
    [{ ann: { password: "secret", keys: dsaKey } }, /line 1: .* got "ssh-dss"/],
    [{ ann: { password: "" } }, /got an empty string/],
    [
      { ann: { password: "secret", permitListen: ["localhost"] } },
      /^the policy of "ann": expected each pattern of permitListen/,
    ],
    [
      { ann: { password: "secret", permitListen: ["localhost:0"] } },
      /of permitListen .*, got "localhost:0"; .*\(ssh -R 0:…\) needs "localhost:\*"$/,
    ],
    [{ ann: { password: "secret", permitListen: ["[::1]:0"] } }, /needs "\[::1\]:\*"$/],
    [{ ann: { password: "secret", permitOpen: ["db:0"] } }, /expected each pattern of permitOpen .*, got "db:0"$/],
    [{ ann: { password: "secret", permitListen: "localhost:*" } }, /expected permitListen to be a list of patterns/],
    [{ ann: { password: "$2b$10$abc" } }, /a hash of scrypt or argon2id/],
    [{ ann: { password: "$scrypt$ln=99,r=8,p=1$c2FsdHNhbHQ$aGFzaGhhc2g" } }, /a cost in range/],
    [{ bob: { keys: `magic ${key}` } }, /line 1/],
  ])("refuses the table %o", (users, message) => {
    expect(() => policy(users as Parameters<typeof policy>[0])).toThrow(
      expect.objectContaining({ code: "misuse", message: expect.stringMatching(message) }),
    );
  });

  it("accepts parsed keys, even with refused lines", async () => {
    const keys = authorizedKeys(`magic ${key}\n${key}`);
    expect(await policy({ bob: { keys } })(byKey("bob"))).not.toBe(false);
  });
});

describe("permitopen of a key (sshd(8))", () => {
  const open = async (user: Permissions, options: string): Promise<boolean> => {
    const decision = await policy({ ann: { keys: `${options}${key}`, ...user } })(byKey("ann"));
    return grantsOf(decision as Permissions).mayOpen("db", 5432);
  };

  it.each([
    // A line in a key file must not grant what the policy denies, because their authors may differ.
    [{}, 'permitopen="db:5432" ', false],
    [{}, 'permitopen="*:*" ', false],
    [{ permitOpen: [] }, 'permitopen="db:5432" ', false],
    [{ permitOpen: ["db:*"] }, 'permitopen="db:5432" ', true],
    [{ permitOpen: ["db:*"] }, 'permitopen="other:5432" ', false],
    [{ permitOpen: ["db:*"] }, "", true],
    [{ permitOpen: ["db:*"] }, "restrict ", false],
  ])("restricts the user's permissions and never extends them: %o with %s: %s", async (user, options, allowed) => {
    expect(await open(user, options)).toBe(allowed);
  });
});

describe("the queue of password comparisons", () => {
  const dear = hashPassword("secret", { ln: 12, r: 8, p: 1 });
  const attempt = (signal: AbortSignal): HostLoginAttempt => ({
    method: "password",
    user: "ann",
    password: "secret",
    origin,
    passed: [],
    signal,
  });

  it("removes a comparison when its client disconnects", async () => {
    const authorize = policy({ ann: { password: await dear } });
    const stays = new AbortController();
    const working = [authorize(attempt(stays.signal)), authorize(attempt(stays.signal))];
    const leaves = new AbortController();
    const waiting = Array.from({ length: 20 }, async () => await authorize(attempt(AbortSignal.any([leaves.signal]))));
    const last = authorize(attempt(stays.signal));
    leaves.abort();
    for (const one of await Promise.allSettled(waiting)) {
      expect(one).toMatchObject({ status: "rejected", reason: { code: "aborted" } });
    }
    for (const one of [...working, last]) expect(await one).not.toBe(false);
    await expect(authorize(attempt(AbortSignal.any([leaves.signal])))).rejects.toMatchObject({ code: "aborted" });
  });

  it("refuses comparisons beyond its limit, and accepts others later", async () => {
    const authorize = policy({ ann: { password: await dear } });
    const { signal } = new AbortController();
    const crowd = Array.from(
      { length: ServerLimits.waitingPasswords + 2 },
      async () => await authorize(attempt(AbortSignal.any([signal]))),
    );
    await expect(authorize(attempt(signal))).rejects.toMatchObject({ code: "limit" });
    expect((await Promise.all(crowd)).every((decision) => decision !== false)).toBe(true);
    expect(await authorize(attempt(signal))).not.toBe(false);
  });

  it("refuses passwords of more than 1 KiB", async () => {
    const longest = "é".repeat(512);
    const authorize = policy({ ann: { password: longest } });
    expect(await authorize(byPassword("ann", longest))).not.toBe(false);
    for (const given of [byPassword("ann", `${longest}!`), byQuestions("ann", `${longest}!`)]) {
      await expect(authorize(given)).rejects.toMatchObject({ code: "limit" });
    }
  });
});

describe("password hashes", () => {
  const storedPassword = (text: string) => storedPasswordWith("a password", text, { sha256, scrypt, argon2id });

  it.each([
    // Vectors of passlib.hash.scrypt, of RFC 7914 (the second, as a PHC string) and of the reference argon2.
    [
      "password",
      "$scrypt$ln=10,r=8,p=16$TmFDbA$/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWIurzDZLiKjiG/xCSedmDDaxyevuUqD7m2DYMvfoswGQA",
    ],
    ["password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"],
  ])("matches %s against %s", async (password, stored) => {
    expect(await storedPassword(stored).matches(password)).toBe(true);
    expect(await storedPassword(stored).matches(`${password}!`)).toBe(false);
  });

  it("returns a hash that policy accepts", async () => {
    const made = await hashPassword("secret", { ln: 4, r: 8, p: 1 });
    expect(made).toMatch(/^\$scrypt\$ln=4,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(made).not.toBe(await hashPassword("secret", { ln: 4, r: 8, p: 1 }));
    expect(await storedPassword(made).matches("secret")).toBe(true);
    expect(await policy({ ann: { password: made } })(byPassword("ann", "secret"))).not.toBe(false);
  });
});
