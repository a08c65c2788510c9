/** Headers as the specification prints them (haproxy.org, proxy-protocol.txt, sections 2.1 and 2.2). */
import { fromUtf8 } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { proxyHeader } from "../src/proxy-protocol.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const signature = "0d0a0d0a000d0a515549540a";

describe("proxyHeader of version 1", () => {
  it.each([
    ["192.0.2.7", "203.0.113.1", "PROXY TCP4 192.0.2.7 203.0.113.1 4242 80\r\n"],
    ["192.0.2.7", "localhost", "PROXY TCP4 192.0.2.7 127.0.0.1 4242 80\r\n"],
    ["192.0.2.7", "", "PROXY TCP4 192.0.2.7 0.0.0.0 4242 80\r\n"],
    ["192.0.2.7", "::", "PROXY TCP4 192.0.2.7 0.0.0.0 4242 80\r\n"],
    ["::ffff:192.0.2.7", "127.0.0.1", "PROXY TCP4 192.0.2.7 127.0.0.1 4242 80\r\n"],
    ["2001:db8::1", "2001:db8::2", "PROXY TCP6 2001:db8:0:0:0:0:0:1 2001:db8:0:0:0:0:0:2 4242 80\r\n"],
    ["2001:db8::1", "localhost", "PROXY TCP6 2001:db8:0:0:0:0:0:1 0:0:0:0:0:0:0:1 4242 80\r\n"],
    ["visitor.example", "127.0.0.1", "PROXY UNKNOWN\r\n"],
    ["", "127.0.0.1", "PROXY UNKNOWN\r\n"],
    ["1.2.3.4\r\nPROXY", "127.0.0.1", "PROXY UNKNOWN\r\n"],
  ])("names the visitor %j at %j", (host, local, line) => {
    expect(fromUtf8(proxyHeader(1, { host, port: 4242 }, { host: local, port: 80 }))).toBe(line);
  });

  it("has at most the 107 bytes that a receiver must buffer", () => {
    const longest = { host: "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", port: 65_535 };
    expect(proxyHeader(1, longest, longest).length).toBeLessThanOrEqual(107);
  });
});

describe("proxyHeader of version 2", () => {
  it.each([
    ["192.0.2.7", "203.0.113.1", `${signature}2111000cc0000207cb00710110920050`],
    [
      "2001:db8::1",
      "::1",
      `${signature}2121002420010db80000000000000000000000010000000000000000000000000000000110920050`,
    ],
    ["visitor.example", "127.0.0.1", `${signature}21000000`],
  ])("names the visitor %j at %j", (host, local, bytes) => {
    expect(hex(proxyHeader(2, { host, port: 4242 }, { host: local, port: 80 }))).toBe(bytes);
  });
});
