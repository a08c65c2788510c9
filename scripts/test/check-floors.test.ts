/** Plants violations in a small workspace, and expects check-floors to report exactly these, by file and line. */
import { describe, expect, it } from "vitest";
import { check, cleanTree, manifest, type Tree } from "./planted.ts";

const wireFile = "packages/wire/src/bytes.ts";
const workspace = "workspace:^";

/** The second line of a file of the lowest floor. */
const inWire: [name: string, text: string, rule: string][] = [
  ["an import of a higher floor", 'import { x } from "@postern/crypto";', "floor"],
  ["a type of a higher floor", 'import type { X } from "@postern/crypto";', "floor"],
  ["a re-export of a higher floor", 'export * from "@postern/ssh";', "floor"],
  ["a dynamic import of a higher floor", 'export const x = import("@postern/ssh");', "floor"],
  ["an import type of a higher floor", 'export type X = import("@postern/ssh").X;', "floor"],
  ["a package that is not there", 'import "@postern/nothing";', "floor"],
  ["a noble package outside a provider", 'import "@noble/hashes/sha2.js";', "floor"],
  ["a node: import", 'import "node:fs";', "node-module"],
  ["a node: type", 'import type { Socket } from "node:net";', "node-module"],
  ["a bare builtin", 'import { connect } from "net";', "node-module"],
  ["a builtin with a path", 'import { readFile } from "fs/promises";', "node-module"],
  ["a dynamic node: import", "export const fs = import(`node:fs`);", "node-module"],
  ["the types of node", '/// <reference types="node" />', "node-module"],
  ["a computed import", 'export const x = import("node:" + 1);', "unreadable-import"],
  ["Buffer", "export const b = Buffer.alloc(1);", "platform-global"],
  ["Buffer as a type", "export type B = Buffer;", "platform-global"],
  ["process", "export const p = process.env;", "platform-global"],
  ["eval", "export const e = eval('1');", "platform-global"],
  ["process through the global object", "export const p = globalThis.process;", "platform-global"],
  ["process taken out of the global object", "export const { process: p } = globalThis;", "platform-global"],
  ["a reach into another package", 'import "@postern/crypto/src/cipher.ts";', "reach-in"],
  ["a subpath of another package", 'import "@postern/crypto/cipher";', "reach-in"],
  ["a relative reach into another package", 'import "../../crypto/src/cipher.ts";', "reach-in"],
  ["a relative reach out of the packages", 'import "../../../scripts/x.mjs";', "reach-in"],
  ["a library of a third party", 'import "left-pad";', "run-time-dependency"],
];

/** Files that replace those of the clean tree. */
const elsewhere: [name: string, change: Tree, violations: string[]][] = [
  [
    "require",
    { [wireFile]: 'const fs = require("fs");\n' },
    [`${wireFile}:1: node-module`, `${wireFile}:1: platform-global`],
  ],
  [
    "a neighbour on the same floor",
    { "packages/transport/src/x.ts": '\n\nimport "@postern/auth";\n' },
    ["packages/transport/src/x.ts:3: floor", "packages/transport/src/x.ts:3: undeclared"],
  ],
  [
    "a lower floor that this one may not know",
    {
      "packages/connection/package.json": manifest("@postern/connection", {
        dependencies: { "@postern/crypto": workspace },
      }),
    },
    ["packages/connection/package.json:6: floor"],
  ],
  [
    "an import that is not declared",
    { "packages/node/src/index.ts": 'import "@postern/wire";\n' },
    ["packages/node/src/index.ts:1: undeclared"],
  ],
  [
    "a dependency on a higher floor, and the cycle that it makes",
    { "packages/wire/package.json": manifest("@postern/wire", { dependencies: { "@postern/crypto": workspace } }) },
    ["packages/wire/package.json:6: floor", "packages/wire/package.json:6: cycle"],
  ],
  [
    "a run-time dependency of a third party",
    { "packages/wire/package.json": manifest("@postern/wire", { dependencies: { "left-pad": "1.3.0" } }) },
    ["packages/wire/package.json:6: run-time-dependency"],
  ],
  [
    "a peer dependency",
    { "packages/noble/package.json": manifest("@postern/noble", { peerDependencies: { "@noble/hashes": "~2.4.0" } }) },
    [
      "packages/noble/package.json:6: run-time-dependency",
      "packages/noble/src/index.ts:1: undeclared",
      "packages/noble/src/index.ts:2: undeclared",
    ],
  ],
  [
    "a noble package that is not pinned",
    {
      "packages/noble/package.json": manifest("@postern/noble", {
        dependencies: { "@noble/hashes": "^2.4.0", "@postern/wire": workspace },
      }),
    },
    ["packages/noble/package.json:6: pinned"],
  ],
  [
    "a sibling that is not taken from the workspace",
    {
      "packages/node/package.json": manifest("@postern/node", { dependencies: { "@postern/transport": "0.1.0" } }),
    },
    ["packages/node/package.json:6: pinned"],
  ],
  [
    "a tool that is not pinned",
    { "package.json": manifest("workspace", { private: true, devDependencies: { vitest: "^4.1.12" } }) },
    ["package.json:7: pinned"],
  ],
  [
    "two versions of one library",
    {
      "packages/testkit/package.json": manifest("@postern/testkit", {
        private: true,
        dependencies: { "@noble/hashes": "~2.3.0" },
      }),
    },
    ["packages/testkit/package.json:7: one-version"],
  ],
  [
    "a package with a version of its own",
    { "packages/wire/package.json": manifest("@postern/wire", { version: "0.2.0" }) },
    ["packages/wire/package.json:3: one-version"],
  ],
  [
    "a package without a floor",
    { "packages/attic/package.json": manifest("@postern/attic") },
    ["packages/attic/package.json:1: unknown-package"],
  ],
  [
    "a package under another name",
    { "packages/wire/package.json": manifest("@postern/wires") },
    ["packages/wire/package.json:2: name"],
  ],
  [
    "a package that the compiler does not know",
    {
      "tsconfig.build.json": JSON.stringify({
        references: ["wire", "crypto", "noble", "node"].map((name) => ({ path: `packages/${name}` })),
      }),
    },
    ["tsconfig.build.json:1: reference"],
  ],
  [
    "a circle of files, also of types",
    {
      [wireFile]: 'import type { X } from "./x.ts";\nexport type Y = X;\n',
      "packages/wire/src/x.ts": 'import type { Y } from "./bytes.ts";\nexport type X = Y;\n',
    },
    ["packages/wire/src/bytes.ts:1: circle"],
  ],
  [
    "a table in ARCHITECTURE.md that lacks a package",
    { "ARCHITECTURE.md": "| floor | package | job |\n" },
    Array.from({ length: 5 }, () => "ARCHITECTURE.md:1: table"),
  ],
  [
    "test tools that could be published",
    { "packages/testkit/package.json": manifest("@postern/testkit") },
    ["packages/testkit/package.json:1: private"],
  ],
  [
    "a test that reaches into another package",
    { "packages/node/test/a.test.ts": 'import "../../wire/src/bytes.ts";\n' },
    ["packages/node/test/a.test.ts:1: reach-in"],
  ],
  [
    "an integration test that reaches into a package",
    { "integration/a.test.ts": 'import "@postern/node";\nimport "../packages/node/src/index.ts";\n' },
    ["integration/a.test.ts:2: reach-in"],
  ],
];

describe("check-floors", () => {
  it.each(inWire)("finds %s", (_name, text, rule) => {
    const { status, violations } = check("check-floors.mjs", { ...cleanTree, [wireFile]: `\n${text}\n` });
    expect(violations).toContain(`${wireFile}:2: ${rule}`);
    // An import of a third party is undeclared too.
    expect(violations.filter((one) => one !== `${wireFile}:2: ${rule}` && one !== `${wireFile}:2: undeclared`)).toEqual(
      [],
    );
    expect(status).toBe(1);
  });

  it.each(elsewhere)("finds %s", (_name, change, expected) => {
    const { status, violations } = check("check-floors.mjs", { ...cleanTree, ...change });
    expect(violations).toEqual(expected);
    expect(status).toBe(1);
  });

  it("lets tests import only entries of testkit", () => {
    const testkit = manifest("@postern/testkit", { private: true, exports: { "./vectors": "./src/vectors.ts" } });
    const { violations } = check("check-floors.mjs", {
      ...cleanTree,
      "packages/testkit/package.json": testkit,
      "packages/wire/test/a.test.ts": 'import "@postern/testkit/vectors";\nimport "@postern/testkit/src/vectors.ts";\n',
    });
    expect(violations).toEqual(["packages/wire/test/a.test.ts:2: reach-in"]);
  });

  it("accepts a clean tree, with forbidden names in comments, strings and members", () => {
    const { status, violations, output } = check("check-floors.mjs", cleanTree);
    expect(violations).toEqual([]);
    expect(output).toContain("5 packages");
    expect(status).toBe(0);
  });

  it("accepts this repository", () => {
    const { status, output } = check("check-floors.mjs");
    expect(output).toMatch(/^check-floors: \d+ packages, \d+ files, 0 violations\n$/);
    expect(status).toBe(0);
  });
});
