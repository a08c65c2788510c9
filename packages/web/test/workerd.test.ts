/** workerdSocket with a stub of `connect`. The integration tests run it in workerd. */
import { describe, expect, it, vi } from "vitest";
import { workerdSocket } from "../src/index.ts";

describe("workerdSocket", () => {
  it("rejects values of other types before it connects", async () => {
    const connect = vi.fn();
    const at = { hostname: "ssh.example.com", port: 22 };
    const wrong: unknown[][] = [
      [undefined],
      [null],
      ["ssh.example.com"],
      [{ port: 22 }],
      [{ ...at, hostname: 7 }],
      [{ ...at, port: "22" }],
      [{ ...at, port: 0 }],
      [{ ...at, port: 65_536 }],
      [at, { signal: {} }],
      [at, { signal: null }],
    ];
    for (const values of wrong) {
      await expect(
        workerdSocket(...([connect, ...values] as unknown as Parameters<typeof workerdSocket>)),
      ).rejects.toMatchObject({
        code: "misuse",
      });
    }
    expect(connect).not.toHaveBeenCalled();
  });
});
