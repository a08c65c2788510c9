/** Plants violations in a small workspace, and expects check-machines to report exactly these, by file and line. */
import { describe, expect, it } from "vitest";
import { check, cleanTree } from "./planted.ts";

const machine = "packages/transport/src/deep/packet-reader.ts";

const planted: [name: string, text: string, rule: string][] = [
  ["an async function", "export async function read() {}", "no-async"],
  ["an async arrow", "export const read = async () => 1;", "no-async"],
  ["an async method", "export class A { async read() {} }", "no-async"],
  ["a top-level await", "await 1;", "no-async"],
  ["a promise", "export const p = Promise.resolve();", "no-promise"],
  ["a promise in a type", "export type P = Promise<void>;", "no-promise"],
  ["a microtask", "queueMicrotask(() => 1);", "no-promise"],
  ["a timeout", "setTimeout(() => 1, 1);", "no-timer"],
  ["an interval", "setInterval(() => 1, 1);", "no-timer"],
  ["a timer passed on", "export const timers = { setTimeout };", "no-timer"],
  ["the date", "export const now = Date.now();", "no-clock"],
  ["a new date", "export const now = new Date();", "no-clock"],
  ["the clock", "export const now = performance.now();", "no-clock"],
  ["Math.random", "export const n = Math.random();", "no-randomness"],
  ["Math['random']", 'export const n = Math["random"]();', "no-randomness"],
  ["random taken out of Math", "export const { random } = Math;", "no-randomness"],
  ["crypto", "crypto.getRandomValues(new Uint8Array(1));", "no-randomness"],
  ["crypto through the global object", "globalThis.crypto;", "no-global-object"],
  ["the console", 'console.log("x");', "no-output"],
];

describe("check-machines", () => {
  it.each(planted)("finds %s", (_name, text, rule) => {
    const { status, violations } = check("check-machines.mjs", {
      ...cleanTree,
      [machine]: `// first line\nexport {};\n${text}\n`,
    });
    expect(violations).toEqual([`${machine}:3: ${rule}`]);
    expect(status).toBe(1);
  });

  it.each(["kex-machine.ts", "packet-writer.ts", "channel-state.ts"])("checks %s", (name) => {
    const { status, violations } = check("check-machines.mjs", { [`packages/auth/src/${name}`]: "await 1;\n" });
    expect(violations).toEqual([`packages/auth/src/${name}:1: no-async`]);
    expect(status).toBe(1);
  });

  it("finds for await, with its await", () => {
    const { violations } = check("check-machines.mjs", {
      [machine]: "export async function f(x: Iterable<number>) {\n  for await (const y of x) y;\n}\n",
    });
    expect(violations).toEqual([`${machine}:1: no-async`, `${machine}:2: no-async`]);
  });

  it("accepts a clean tree, with forbidden names in comments, strings and members", () => {
    const { status, violations, output } = check("check-machines.mjs", cleanTree);
    expect(violations).toEqual([]);
    expect(output).toContain("1 machines, 0 violations");
    expect(status).toBe(0);
  });

  it("fails on a file with a syntax error", () => {
    const { status, output } = check("check-machines.mjs", { [machine]: "export const = 1;\n" });
    expect(status).not.toBe(0);
    expect(output).toContain(machine);
  });

  it("accepts this repository", () => {
    const { status, output } = check("check-machines.mjs");
    expect(output).toMatch(/^check-machines: [1-9]\d* machines, 0 violations\n$/);
    expect(status).toBe(0);
  });
});
