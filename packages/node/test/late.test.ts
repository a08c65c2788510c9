/** Nothing of noble is loaded on Node.js before it is needed. Wants `dist`, which `npm test` has built. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

describe.skipIf(!existsSync(path("../dist/index.js")))("the built package in a process of its own", () => {
  it("carries a tunnel with its defaults without a module of noble", () => {
    const loaded = loadedBy([]);
    expect(loaded).toContainEqual(expect.stringMatching(/node\/dist\/index\.js$/));
    expect(loaded).toContainEqual(expect.stringMatching(/wire\/dist\/index\.js$/));
    expect(loaded.filter((url) => url.includes("@noble"))).toEqual([]);
  });

  it("loads noble for Argon2id, which Node.js 20 lacks", () => {
    expect(loadedBy(["argon2id"]).filter((url) => url.includes("@noble"))).not.toEqual([]);
  });
});

/** Runs the program and gives the URLs of all modules it imported. */
function loadedBy(args: readonly string[]): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), "postern-late-"));
  try {
    const file = join(folder, "loaded");
    const words = execFileSync(
      process.execPath,
      ["--no-warnings", "--import", path("late/record.mjs"), path("late/tunnel.mjs"), ...args],
      { env: { ...process.env, POSTERN_LOADED: file }, encoding: "utf8", timeout: 20_000 },
    );
    expect(words).toBe("hello\n");
    return readFileSync(file, "utf8").trim().split("\n");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
