import { describe, expect, it } from "vitest";
import { bindAddresses, type GatewayPorts } from "../src/addresses.ts";

const loopback = ["127.0.0.1", "::1"];
const all = ["0.0.0.0", "::"];

/** The addresses that sshd 10.5p1 binds for each requested address with GatewayPorts no, yes and clientspecified. */
const table: readonly (readonly [requested: string, ...bound: readonly (readonly string[])[]])[] = [
  ["", loopback, all, all],
  ["*", loopback, all, all],
  ["0.0.0.0", loopback, all, ["0.0.0.0"]],
  ["::", loopback, all, ["::"]],
  ["localhost", loopback, all, loopback],
  ["127.0.0.1", ["127.0.0.1"], all, ["127.0.0.1"]],
  ["::1", ["::1"], all, ["::1"]],
  ["LOCALHOST", loopback, all, ["127.0.0.1"]],
  ["192.0.2.7", loopback, all, ["192.0.2.7"]],
];
const settings: readonly GatewayPorts[] = ["no", "yes", "clientspecified"];

describe("bindAddresses", () => {
  for (const [requested, ...bound] of table) {
    for (const [index, gatewayPorts] of settings.entries()) {
      it(`binds ${bound[index]?.join(" and ")} for "${requested}" with gatewayPorts ${gatewayPorts}`, () => {
        expect(bindAddresses(requested, gatewayPorts).hosts).toEqual(bound[index]);
      });
    }
  }

  it.each([
    ["localhost", "no", false],
    ["127.0.0.1", "no", false],
    ["::1", "no", false],
    ["", "no", true],
    ["0.0.0.0", "no", true],
    ["192.0.2.7", "no", true],
    ["", "yes", false],
    ["0.0.0.0", "yes", false],
    ["localhost", "yes", true],
    ["", "clientspecified", false],
    ["localhost", "clientspecified", false],
  ] as const)("returns a notice for %j with gatewayPorts %s: %s", (requested, gatewayPorts, hasNotice) => {
    expect(bindAddresses(requested, gatewayPorts).notice !== undefined).toBe(hasNotice);
  });
});
