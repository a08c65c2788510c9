/** The code in the packages' README files runs, and prints what it claims. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { format } from "node:util";
import { afterAll, describe, expect, it, vi } from "vitest";
import { claimedOutput, programsOf, splitPage } from "../lib/code-blocks.mjs";
import { checkShell } from "../lib/shell-blocks.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));

// In the workspace, so that the programs find the packages; ignored by Git.
const work = join(root, "dist", "readmes");
const folders = readdirSync(join(root, "packages")).filter((name) => !["testkit", "cli"].includes(name));

afterAll(() => rmSync(work, { recursive: true, force: true }));

describe.each(folders)("packages/%s/README.md", (folder) => {
  const blocks = programsOf(readFileSync(join(root, "packages", folder, "README.md"), "utf8"));

  it("has a program that prints something", () => {
    expect(blocks.flatMap(({ code }) => claimedOutput(code))).not.toEqual([]);
  });

  it.each(blocks)("runs the program of line $line", async ({ code, line }) => {
    const file = join(work, `${folder}-${line}.ts`);
    mkdirSync(work, { recursive: true });
    writeFileSync(file, code);
    const printed: string[] = [];
    const log = vi.spyOn(console, "log").mockImplementation((...values) => void printed.push(format(...values)));
    try {
      await import(/* @vite-ignore */ file);
    } finally {
      log.mockRestore();
    }
    expect(printed).toEqual(claimedOutput(code));
  });
});

describe("packages/cli/README.md", () => {
  const { blocks } = splitPage(readFileSync(join(root, "packages", "cli", "README.md"), "utf8"));
  const commands = blocks.filter(({ language, code }) => language === "sh" && /^(npx )?postern /m.test(code));

  it("has five examples", () => {
    expect(commands.length).toBeGreaterThanOrEqual(5);
  });

  it.each(commands)("has only options that postern knows, on line $line", ({ code }) => {
    expect(checkShell(code, "packages/cli", noKey).problems).toEqual([]);
  });
});

function noKey(): never {
  throw new Error("expected no command that needs a key");
}
