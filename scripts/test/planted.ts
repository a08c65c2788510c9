/** A small workspace without violations, for tests that add one. @module */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export type Tree = Readonly<Record<string, string>>;

export interface Outcome {
  readonly status: number | null;
  /** `file:line: rule`, without the text. */
  readonly violations: readonly string[];
  readonly output: string;
}

/** Runs a script on the tree, or on the repository. */
export function check(script: "check-floors.mjs" | "check-machines.mjs", tree?: Tree): Outcome {
  const path = fileURLToPath(new URL(`../${script}`, import.meta.url));
  if (tree === undefined) return outcome(path, []);
  const root = mkdtempSync(join(tmpdir(), "postern-planted-"));
  try {
    for (const [name, text] of Object.entries(tree)) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), text);
    }
    return outcome(path, [root]);
  } finally {
    rmSync(root, { recursive: true });
  }
}

/** Returns a manifest. */
export function manifest(name: string, fields: object = {}): string {
  return `${JSON.stringify({ name, version: "0.1.0", type: "module", ...fields }, null, 2)}\n`;
}

/** Packages of several floors, tests, and a machine, without a violation. */
export const cleanTree: Tree = {
  "package.json": manifest("workspace", { private: true, devDependencies: { vitest: "4.1.12" } }),
  "packages/wire/package.json": manifest("@postern/wire"),
  "packages/wire/src/index.ts": 'export * from "./bytes.ts";\n',
  "packages/wire/src/bytes.ts": [
    "/** Not an `import 'node:fs'`, and no Buffer: await the Date. */",
    "// process.exit(), require('fs')",
    'export const words = ["Buffer", "node:fs", `process`];',
    "export const shape = { process: 1, require: 2 };",
    "export const both = shape.process + shape.require;",
    "",
  ].join("\n"),
  "packages/wire/test/bytes.test.ts":
    'import { readFileSync } from "node:fs";\nimport "../src/bytes.ts";\nreadFileSync;\n',
  "packages/crypto/package.json": manifest("@postern/crypto", { dependencies: { "@postern/wire": "workspace:^" } }),
  "packages/crypto/src/index.ts": 'import type { Bytes } from "@postern/wire";\nexport const hash = (b: Bytes) => b;\n',
  "packages/noble/package.json": manifest("@postern/noble", {
    dependencies: { "@noble/hashes": "~2.4.0", "@postern/wire": "workspace:^" },
  }),
  "packages/noble/src/index.ts":
    'import { sha256 } from "@noble/hashes/sha2.js";\nimport type { Bytes } from "@postern/wire";\nexport const hash = (b: Bytes) => sha256(b);\n',
  "packages/transport/package.json": manifest("@postern/transport", {
    dependencies: { "@postern/crypto": "workspace:^", "@postern/wire": "workspace:^" },
  }),
  "packages/transport/src/kex-machine.ts": [
    'import { hash } from "@postern/crypto";',
    "// async await Promise setTimeout Date.now() crypto.subtle console.log Math.random",
    "/** Date, Promise. */",
    'const words = ["await", "Promise", `Date console`];',
    "const member = { Date: 1, console: 2, crypto: 3, Promise: 4 };",
    "export class KexMachine { setTimeout = words; readonly window = member.Date + member.crypto; performance() { return hash; } }",
    "export const half = Math.floor(1.5);",
    "",
  ].join("\n"),
  // Not a machine, so these are allowed.
  "packages/node/src/driver.ts": "export const now = async (): Promise<number> => Date.now() + (await 1);\n",
  "packages/node/package.json": manifest("@postern/node", {
    dependencies: { "@postern/transport": "workspace:^" },
    devDependencies: { "fast-check": "4.10.2" },
  }),
  "packages/node/src/index.ts":
    'import { readFileSync } from "node:fs";\nexport * from "@postern/transport";\nexport const read = () => Buffer.from(readFileSync(process.argv[1]));\n',
  "integration/a.test.ts": 'import "@postern/node";\nimport "./harness/x.ts";\n',
};

function outcome(path: string, args: readonly string[]): Outcome {
  const { status, stdout, stderr } = spawnSync(process.execPath, [path, ...args], { encoding: "utf8" });
  const violations = [...stderr.matchAll(/^(\S+:\d+: [\w-]+): /gm)].map(([, violation]) => violation ?? "");
  return { status, violations, output: stdout + stderr };
}
