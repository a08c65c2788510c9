import { describe, expect, it } from "vitest";
import { isAllowed } from "../../src/up/forward-specs.ts";
import { duration, formatStatus, size, statusLine, type UpStatus } from "../../src/up/status.ts";

const now = 1_800_000_000_000;
const idle = { visitors: 0, bytesIn: 0, bytesOut: 0, reconnects: 0 };
const status: UpStatus = {
  pid: 4711,
  config: "/etc/postern/postern.json",
  startedAt: now - 3_600_000,
  loadedAt: now,
  tunnels: [
    {
      ...idle,
      name: "shop",
      state: "open",
      since: now - 65_000,
      server: "ssh.example.com:22",
      forwardings: [
        {
          type: "remote",
          listen: "localhost:8080",
          target: "127.0.0.1:3000",
          state: "open",
          url: "https://shop.example",
        },
        { type: "local", listen: "localhost:5432", target: "db:5432", state: "pending", error: "in use" },
      ],
      visitors: 3,
      bytesIn: 1500,
      bytesOut: 2_000_000,
    },
    {
      ...idle,
      name: "wiki",
      state: "waiting",
      since: now,
      server: "wiki.example.com:22",
      forwardings: [],
      lastError: { at: now - 2000, message: "expected\u001b[2J a server" },
    },
  ],
};

describe("the status of postern up", () => {
  it("is a table whose texts are escaped", () => {
    expect(formatStatus(status, now)).toBe(
      [
        "postern up, process 4711, /etc/postern/postern.json, for 1h",
        "",
        "NAME  STATE    SINCE  SERVER               FORWARDING                                VISITORS  IN      OUT",
        "shop  open     1m 5s  ssh.example.com:22   https://shop.example -> 127.0.0.1:3000    3         1.5 kB  2.0 MB",
        "                                           here localhost:5432 -> db:5432 (pending)",
        "wiki  waiting  0s     wiki.example.com:22                                            0         0 B     0 B",
        "",
        "Last errors:",
        "shop localhost:5432: in use",
        "wiki: expected\\u{1b}[2J a server (2s ago)",
        "",
      ].join("\n"),
    );
  });

  it("is one line for a service manager", () => {
    expect(statusLine(status)).toBe("0 of 2 tunnels are open; shop: 1 of 2 forwardings; wiki: waiting");
  });

  it("has durations and sizes for people", () => {
    expect([0, 59_000, 61_000, 3_600_000, 90_061_000].map(duration)).toEqual(["0s", "59s", "1m 1s", "1h", "1d 1h"]);
    expect([0, 999, 1000, 123_456, 1e15].map(size)).toEqual(["0 B", "999 B", "1.0 kB", "123 kB", "1000 TB"]);
  });
});

describe("allow of a SOCKS forwarding", () => {
  it.each([
    ["db.internal", 443, true],
    ["DB.internal", 443, true],
    ["internal", 443, false],
    ["db.internal", 80, false],
    ["10.0.0.5", 1, true],
    ["10.0.0.55", 1, false],
    ["::1", 22, true],
  ])("decides about the target %s:%i: %s", (host, port, allowed) => {
    expect(isAllowed(["*.internal:443", "10.0.0.5:*", "[::1]:22"], { host, port })).toBe(allowed);
  });
});
