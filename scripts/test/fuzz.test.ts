/** The fuzzer finds planted mistakes; no target crashes, in a short run and on inputs that once did. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { Fuzzer, runOnce } from "../lib/fuzz/fuzzer.mjs";
import { findSuperlinear } from "../lib/fuzz/linear.mjs";
import { loadTargets, loadWithCounters } from "../lib/fuzz/load.mjs";
import { plantedSource } from "./planted-parsers.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const minute = 60_000;

describe("the fuzzer", async () => {
  const folder = mkdtempSync(join(tmpdir(), "postern-planted-"));
  mkdirSync(join(folder, "packages/planted/src"), { recursive: true });
  writeFileSync(join(folder, "packages/planted/src/parsers.ts"), plantedSource);
  const { module, counters } = await loadWithCounters(
    [{ name: "planted", file: "packages/planted/src/parsers.ts" }],
    folder,
  );
  rmSync(folder, { recursive: true });
  const { targets } = module.planted;
  const planted = (name: string) => targets.find((one) => one.name === name) ?? expect.unreachable();
  const fuzz = async (name: string, dictionary: string[] = []) => {
    const words = dictionary.map((word) => new TextEncoder().encode(word));
    const fuzzer = new Fuzzer(planted(name), counters, { seed: "planted", dictionary: words });
    return (await fuzzer.begin()) ?? (await fuzzer.run(50_000));
  };

  it("finds an error three branches deep, and reduces the input to what is needed", async () => {
    const crash = await fuzz("deep", ["begin", "\n"]);
    expect(crash?.problem).toMatch(/^TypeError: planted/);
    // "begin\nbegin\nbegin!" is the shortest.
    expect(new TextDecoder().decode(crash?.input)).toMatch(/^(?:begin\n){2,3}begin/);
    expect(crash?.input.length).toBeLessThan(30);
  });

  it("finds a loop without end, although the code hides the error", async () => {
    expect((await fuzz("loops"))?.problem).toMatch(/^took more than \d+ steps for \d+ bytes$/);
  });

  it("finds a function that takes quadratic time, by counting steps", async () => {
    expect(await findSuperlinear(planted("quadratic"), counters, 5)).not.toEqual([]);
    expect(await findSuperlinear(planted("deep"), counters, 5)).toEqual([]);
  });

  it("repeats a run with the same seed", async () => {
    const [one, two] = [await fuzz("deep", ["begin"]), await fuzz("deep", ["begin"])];
    expect(one?.input).toEqual(two?.input);
  });
});

describe("every reader and machine", async () => {
  const { targets, counters } = await loadTargets();

  it("has at least one target in each package that reads hostile input", () => {
    expect(new Set(targets.map(({ folder }) => folder.split("/").at(-3)))).toEqual(
      new Set(["connection", "host", "http", "keys", "node", "ssh", "transport", "tunnel", "wire"]),
    );
  });

  it.each(targets.map((target) => [target.name, target] as const))(
    "takes steps in proportion to the input: %s",
    async (_name, target) => {
      expect(await findSuperlinear(target, counters, 20)).toEqual([]);
    },
    5 * minute,
  );

  const crashes = targets.flatMap((target) =>
    existsSync(target.folder)
      ? readdirSync(target.folder)
          .filter((file) => file.startsWith(`${target.name}-`))
          .map((file) => [file, target] as const)
      : [],
  );
  it.each(crashes)("accepts or refuses an input that once made it fail: %s", async (file, target) => {
    const input = Uint8Array.from(readFileSync(join(target.folder, file)));
    expect(await runOnce(target, counters, input)).toBeUndefined();
  });

  const seconds = process.env.POSTERN_FUZZ_SECONDS ?? "60";
  it(
    `survives ${seconds} seconds of fuzzing`,
    async () => {
      const args = ["scripts/fuzz.mjs", "--seconds", seconds];
      const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
      let output = "";
      child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
      child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
      const status = await new Promise((resolve) => child.on("close", resolve));
      expect(status, output).toBe(0);
      expect(output).toContain("fuzz: no crash");
    },
    Number(seconds) * 1000 + 20 * minute,
  );
});
