/** Which modules the built package loads. Needs `dist`, which `npm test` builds. */
import { execFileSync } from "node:child_process";
import * as crypto from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

describe("the built package in a process of its own", () => {
  beforeAll(() => {
    if (!existsSync(path("../dist/index.js"))) expect.fail("@postern/node is not built: run `node scripts/build.mjs`");
  });

  it("runs a tunnel without key files, ssh configurations and @noble, but for ML-KEM before Node.js 24.7", () => {
    const loaded = modulesLoadedBy([]);
    expect(loaded).toContainEqual(expect.stringMatching(/node\/dist\/index\.js$/));
    expect(loaded).toContainEqual(expect.stringMatching(/wire\/dist\/index\.js$/));
    expect(loaded).not.toContainEqual(expect.stringMatching(/noble\/dist\/index\.js$/));
    expect(loaded.filter((url) => /\/(files|ssh-config)-\w+\.js$/.test(url))).toEqual([]);
    const ofNoble = loaded.filter((url) => url.includes("@noble"));
    if ("encapsulate" in crypto) expect(ofNoble).toEqual([]);
    else expect(ofNoble).not.toContainEqual(expect.stringMatching(/nist|ed25519|@noble.ciphers/));
  });

  it("loads @noble for Argon2id, which Node.js 20 lacks", () => {
    expect(modulesLoadedBy(["argon2id"]).filter((url) => url.includes("@noble"))).not.toEqual([]);
  });
});

/** Runs the program and returns the URLs of all modules it imported. */
function modulesLoadedBy(args: readonly string[]): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), "postern-loaded-"));
  try {
    const file = join(folder, "loaded");
    const output = execFileSync(
      process.execPath,
      ["--no-warnings", "--import", path("loaded-modules/record.mjs"), path("loaded-modules/tunnel.mjs"), ...args],
      { env: { ...process.env, POSTERN_LOADED: file }, encoding: "utf8", timeout: 20_000 },
    );
    expect(output).toBe("hello\n");
    return readFileSync(file, "utf8").trim().split("\n");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
