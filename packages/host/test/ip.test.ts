import { describe, expect, it } from "vitest";
import { AddressList, plainIp, sourceOf } from "../src/ip.ts";

describe("sourceOf", () => {
  it("returns an IPv4 address, or the /64 of an IPv6 address", () => {
    expect(sourceOf("::ffff:192.0.2.1")).toBe(sourceOf("192.0.2.1"));
    expect(sourceOf("2001:db8:0:1::1")).toBe(sourceOf("2001:db8:0:1:ffff::2"));
    expect(sourceOf("2001:db8:0:1::1")).not.toBe(sourceOf("2001:db8:0:2::1"));
    expect(plainIp("::ffff:192.0.2.1")).toBe("192.0.2.1");
    expect(plainIp("2001:db8::1")).toBe("2001:db8::1");
  });
});

describe("AddressList", () => {
  it.each([
    ["192.0.2.1", "192.0.2.1", true],
    ["192.0.2.0/24", "192.0.2.77", true],
    ["192.0.2.0/24", "192.0.3.77", false],
    ["192.0.2.*", "192.0.2.77", true],
    ["10.0.0.0/8,192.0.2.1", "192.0.2.1", true],
    ["192.0.2.0/24,!192.0.2.7", "192.0.2.7", false],
    ["!192.0.2.7,192.0.2.0/24", "192.0.2.7", false],
    ["!192.0.2.7,192.0.2.0/24", "192.0.2.8", true],
    ["!192.0.2.7", "192.0.2.8", false],
    ["2001:db8::/32", "2001:db8:1::1", true],
    ["2001:db8::/32", "2001:db9::1", false],
    ["192.0.2.0/24", "::ffff:192.0.2.1", true],
    ["0.0.0.0/0", "192.0.2.1", true],
    ["0.0.0.0/0", "::1", false],
    ["*", "::1", true],
    ["host.example.com", "192.0.2.1", false],
  ])("checks whether %s includes %s: %s", (list, host, included) =>
    expect(new AddressList(list).includes(host)).toBe(included),
  );

  it.each(["", "a,,b", "192.0.2.1/24", "192.0.2.0/33", "!"])("refuses %j", (list) => {
    expect(() => new AddressList(list)).toThrow(expect.objectContaining({ code: "key" }));
  });
});
