import { describe, expect, it } from "vitest";
import { parseIp } from "../src/ip.ts";

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
