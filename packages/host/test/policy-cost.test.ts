import { hashPassword, policy } from "@postern/web";
import { beforeEach, describe, expect, it, vi } from "vitest";

const context = { origin: undefined, passed: [], signal: new AbortController().signal };
const derived: string[] = [];
vi.mock("@postern/noble", async (load) => {
  const real = await load<typeof import("@postern/noble")>();
  const scrypt: typeof real.scrypt = (password, salt, cost, size) => {
    derived.push(`n=${cost.n}`);
    return real.scrypt(password, salt, cost, size);
  };
  return { ...real, scrypt };
});

describe("a policy", () => {
  beforeEach(() => {
    derived.length = 0;
  });

  it("computes each kind of hash once, for an unknown user, a wrong password and a right one alike", async () => {
    const cheap = await hashPassword("secret", { ln: 4, r: 8, p: 1 });
    const dear = await hashPassword("secret", { ln: 5, r: 8, p: 1 });
    const authorize = policy({ plain: { password: "secret" }, cheap: { password: cheap }, dear: { password: dear } });
    for (const user of ["plain", "cheap", "dear", "nobody"]) {
      for (const password of ["secret", "wrong"]) {
        derived.length = 0;
        const decision = await authorize({ method: "password", user, password, ...context });
        expect(decision !== false).toBe(user !== "nobody" && password === "secret");
        expect(derived.toSorted()).toEqual(["n=16", "n=32"]);
      }
    }
  });

  it("compares two passwords at once, and queues the others", async () => {
    const dear = await hashPassword("secret", { ln: 10, r: 8, p: 1 });
    const authorize = policy({ ann: { password: dear } });
    derived.length = 0;
    const attempts = Array.from(
      { length: 6 },
      async () => await authorize({ method: "password", user: "ann", password: "secret", ...context }),
    );
    await Promise.resolve();
    expect(derived.length).toBeLessThanOrEqual(2);
    expect((await Promise.all(attempts)).every((decision) => decision !== false)).toBe(true);
    expect(derived).toHaveLength(6);
  });
});
