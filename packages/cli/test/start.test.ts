/** The start of the program: what it loads, and where it keeps compiled code. Needs `dist`, which `npm test` builds. */
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { version } from "@postern/ssh";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cacheFolder } from "../src/start/compile-cache.ts";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "postern-start-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("postern -V", () => {
  it("prints the version as ssh does, on standard error", () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(dist, "postern.js"), "-V"], {
      encoding: "utf8",
    });
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
    expect(stderr).toMatch(new RegExp(`^Postern_${version.replaceAll(".", "\\.")}, Node\\.js \\S+, OpenSSL \\S+\n$`));
  });

  it("loads less than 20 kB", () => {
    expect(sizeOf(["postern.js"])).toBeLessThan(20_000);
    expect(sizeOf([mainOf()])).toBeLessThan(20_000);
  });
});

describe("the folder of compiled code", () => {
  it("is readable by its user only", () => {
    const found = cacheFolder({ XDG_CACHE_HOME: join(folder, "new") });
    expect(found).toBe(join(folder, "new", "postern", "compiled"));
    expect(statSync(found ?? "").mode & 0o777).toBe(0o700);
  });

  it("is not used if others can write to it", () => {
    const shared = join(folder, "shared", "postern", "compiled");
    mkdirSync(shared, { recursive: true });
    chmodSync(shared, 0o777);
    expect(cacheFolder({ XDG_CACHE_HOME: join(folder, "shared") })).toBeUndefined();
  });

  it("is not used if others can put another folder in its place", () => {
    const above = join(folder, "above");
    mkdirSync(above);
    chmodSync(above, 0o777);
    expect(cacheFolder({ XDG_CACHE_HOME: join(above, "cache") })).toBeUndefined();
    chmodSync(above, 0o1777);
    expect(cacheFolder({ XDG_CACHE_HOME: join(above, "cache") })).toBeDefined();
    // Only root can give a folder away: the home of the user who called sudo.
    if (process.geteuid?.() !== 0) return;
    chmodSync(above, 0o700);
    chownSync(above, 65_534, 65_534);
    expect(cacheFolder({ XDG_CACHE_HOME: join(above, "cache") })).toBeUndefined();
  });

  it("is not used behind a symbolic link", () => {
    mkdirSync(join(folder, "linked", "postern"), { recursive: true });
    mkdirSync(join(folder, "elsewhere"), { mode: 0o700 });
    symlinkSync(join(folder, "elsewhere"), join(folder, "linked", "postern", "compiled"));
    expect(cacheFolder({ XDG_CACHE_HOME: join(folder, "linked") })).toBeUndefined();
  });

  it("is not needed", () => {
    expect(cacheFolder({ XDG_CACHE_HOME: "/dev/null" })).toBeUndefined();
  });
});

/** The file that the program loads first. */
function mainOf(): string {
  const [, file = ""] =
    /import\("\.\/(parts\/main-\w+\.js)"\)/.exec(readFileSync(join(dist, "postern.js"), "utf8")) ?? [];
  return file;
}

/** The size of files, and of all that they import statically. */
function sizeOf(files: readonly string[]): number {
  const seen = new Set(files);
  let size = 0;
  // A set's iterator also visits what is added meanwhile.
  for (const file of seen) {
    const text = readFileSync(join(dist, file), "utf8");
    size += text.length;
    for (const [, name = ""] of text.matchAll(/^(?:import|\} from|import .* from) ?"\.\/(?:parts\/)?([^"]+)";$/gm))
      seen.add(`parts/${name}`);
  }
  return size;
}
