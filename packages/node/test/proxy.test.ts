/** The options of a proxy and of a dial on Node.js. integration/routes.test.ts has the real proxies. */
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { fingerprint, httpConnect, type NodeTunnelOptions, password, ReverseTunnel } from "../src/index.ts";

describe("httpConnect", () => {
  it("has the default ports of HTTP and HTTPS", () => {
    expect(httpConnect("http://proxy.example.com")).toMatchObject({ host: "proxy.example.com", port: 80 });
    expect(httpConnect("https://proxy.example.com")).toMatchObject({ host: "proxy.example.com", port: 443 });
    expect(httpConnect({ host: "proxy.example.com" })).toMatchObject({ port: 80 });
    expect(httpConnect({ host: "proxy.example.com", tls: true })).toMatchObject({ port: 443 });
    expect(httpConnect({ host: "proxy.example.com", tls: {} })).toMatchObject({ port: 443 });
    expect(httpConnect({ host: "proxy.example.com", tls: false })).toMatchObject({ port: 80 });
  });

  it.each<[unknown, RegExp]>([
    [{ host: "proxy", tls: "yes" }, /expected tls to be true or options of tls.connect, got a string/],
    [{ host: "proxy", tls: null }, /expected tls to be .* got null/],
    [{ host: "proxy", ca: "x" }, /unknown option "ca" of httpConnect/],
    ["socks5://proxy", /URL of http or https, got "socks5"/],
    [null, /expected httpConnect to get .* got null/],
  ])("refuses %j", (given, message) => {
    expect(() => httpConnect(given as string)).toThrow(
      expect.objectContaining({ code: "misuse", message: expect.stringMatching(message) }),
    );
  });

  it("does not show its password", () => {
    expect(inspect(httpConnect("https://me:hunter2@proxy"), { depth: 9, showHidden: true })).not.toContain("hunter2");
  });
});

describe("the option dial", () => {
  const options = {
    host: "host.example",
    user: "test",
    auth: password("secret"),
    hostKey: fingerprint("SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDYzMtFDqMRQH+xi8E"),
    reconnect: { mode: "never" },
  } as const;

  it("is a function that gets the endpoint", async () => {
    const seen: unknown[] = [];
    const tunnel = new ReverseTunnel({
      ...options,
      dial: (endpoint) => {
        seen.push(endpoint);
        throw new Error("no way");
      },
    });
    await expect(tunnel.connect()).rejects.toMatchObject({
      code: "connect",
      message: expect.stringContaining("no way"),
    });
    expect(seen).toEqual([{ host: "host.example", port: 22 }]);
  });

  it("is refused with another type", () => {
    for (const dial of ["nc", null, {}]) {
      expect(() => new ReverseTunnel({ ...options, dial } as unknown as NodeTunnelOptions)).toThrow(
        expect.objectContaining({ code: "misuse", message: expect.stringContaining("expected dial to be a function") }),
      );
    }
  });
});
