/** A small workspace with the scripts of this repository, for tests that plant a mistake in it. @module */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of this repository. */
export const repository: string = fileURLToPath(new URL("../..", import.meta.url));

export interface Workspace extends Disposable {
  readonly root: string;
  /** Runs a program in the workspace. */
  run(program: string, ...args: readonly string[]): Outcome;
  /** Runs a script of the workspace. */
  script(name: string, ...args: readonly string[]): Outcome;
}

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Creates a workspace in a temporary folder. Objects are written as JSON. */
export function createWorkspace(files: Readonly<Record<string, string | object>>): Workspace {
  const root = mkdtempSync(join(tmpdir(), "postern-workspace-"));
  cpSync(join(repository, "scripts"), join(root, "scripts"), {
    recursive: true,
    filter: (source) => !source.startsWith(join(repository, "scripts", "test")),
  });
  symlinkSync(join(repository, "node_modules"), join(root, "node_modules"), "junction");
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), typeof content === "string" ? content : `${JSON.stringify(content, null, 2)}\n`);
  }
  return {
    root,
    run: (program, ...args) => run(root, program, args),
    script: (name, ...args) => runScript(root, name, ...args),
    [Symbol.dispose]: () => rmSync(root, { recursive: true }),
  };
}

/** Runs a script of this repository, or of a workspace. */
export function runScript(root: string, name: string, ...args: readonly string[]): Outcome {
  return run(root, process.execPath, [join(root, "scripts", name), ...args]);
}

function run(cwd: string, program: string, args: readonly string[]): Outcome {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: "utf8" });
  return { status, stdout, stderr };
}

/** The manifest of a workspace. */
export const workspaceManifest = {
  name: "workspace",
  version: "1.2.3",
  private: true,
  type: "module",
  license: "MIT",
  author: "Authors",
  homepage: "https://example.com/repository",
  repository: { type: "git", url: "git+https://example.com/repository.git" },
  bugs: { url: "https://example.com/repository/issues" },
  funding: "https://example.com/funding",
  engines: { node: ">=20.19.0" },
  scripts: { test: "node scripts/test.mjs", check: "node scripts/check.mjs" },
};

/** The manifest of a package that follows it. */
export const packageManifest = {
  name: "@postern/one",
  version: "1.2.3",
  description: "One package",
  keywords: ["ssh", "ssh2", "typescript", "one"],
  license: "MIT",
  author: "Authors",
  homepage: "https://example.com/repository/tree/main/packages/one#readme",
  repository: { type: "git", url: "git+https://example.com/repository.git", directory: "packages/one" },
  bugs: { url: "https://example.com/repository/issues" },
  funding: "https://example.com/funding",
  type: "module",
  sideEffects: false,
  engines: { node: ">=20.19.0" },
  files: ["dist", "!dist/.tsbuildinfo", "src", "README.md", "LICENSE"],
  exports: {
    ".": { "@postern/source": "./src/index.ts", types: "./dist/index.d.ts", default: "./dist/index.js" },
    "./package.json": "./package.json",
  },
  publishConfig: { access: "public", provenance: true },
};
