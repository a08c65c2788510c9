import { describe, expect, it } from "vitest";
import { AddressList, parseIp, plainIp, sourceOf } from "../src/ip.ts";

describe("parseIp", () => {
  it.each([
    ["192.0.2.1", [192, 0, 2, 1]],
    ["::ffff:192.0.2.1", [192, 0, 2, 1]],
    ["::1", [...Array.from({ length: 15 }, () => 0), 1]],
    ["2001:db8::5", [0x20, 1, 0x0d, 0xb8, ...Array.from({ length: 11 }, () => 0), 5]],
    ["fe80::1%eth0", [0xfe, 0x80, ...Array.from({ length: 13 }, () => 0), 1]],
    ["1:2:3:4:5:6:7:8", [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]],
  ])("reads %s", (text, bytes) => expect(parseIp(text)).toEqual(bytes));

  it.each([
    "",
    "1.2.3",
    "1.2.3.256",
    "01.2.3.4",
    "1.2.3.4.5",
    ":",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "12345::",
    "g::",
    "localhost",
  ])("refuses %j", (text) => expect(parseIp(text)).toBeUndefined());

  // In quadratic time, this would take minutes.
  it("refuses a text of many zone indices in linear time", () => {
    expect(parseIp(`:${"%".repeat(1_000_000)}\n`)).toBeUndefined();
  });
});

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
