/** Dialling in workerd, whose sockets are stubs here: the integration tests run in workerd itself. */
import { afterEach, describe, expect, it, vi } from "vitest";

const connect = vi.fn();
vi.mock("cloudflare:sockets", () => ({ connect }));
const { workerdSocket } = await import("../src/workerd.ts");

afterEach(() => connect.mockReset());

describe("workerdSocket", () => {
  it("refuses values of other types before it connects", async () => {
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
      await expect(workerdSocket(...(values as Parameters<typeof workerdSocket>))).rejects.toMatchObject({
        code: "misuse",
      });
    }
    expect(connect).not.toHaveBeenCalled();
  });
});
