/** Plants a mistake in an unpacked package, and expects check-packages to name it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkTarball } from "../lib/check-tarball.mjs";
import { createWorkspace, repository } from "./workspace.ts";

const dependencies = { "@noble/hashes": "~2.4.0", "@postern/wire": "^1.2.3" };
const clean = {
  LICENSE: readFileSync(join(repository, "LICENSE"), "utf8"),
  "README.md": "# One\n",
  "dist/index.js": 'import { sha256 } from "@noble/hashes/sha2.js";\nimport "node:fs";\nexport { sha256 };\n',
  "dist/index.d.ts": 'export type { Bytes } from "@postern/wire";\n',
  "dist/index.js.map": { sources: ["../src/index.ts"] },
  "src/index.ts": "",
};

function violations(files: Readonly<Record<string, string | object>>, named: object = dependencies): readonly string[] {
  using workspace = createWorkspace(files);
  return checkTarball({
    name: "@postern/one",
    unpacked: workspace.root,
    manifest: { version: "1.2.3", dependencies: named },
  });
}

describe("checkTarball", () => {
  it("accepts a package with its files, whose imports are its dependencies", () => {
    expect(violations(clean)).toEqual([]);
  });

  it.each(["LICENSE", "README.md", "dist/index.d.ts", "src/index.ts"])("finds a tarball without %s", (file) => {
    const files = Object.fromEntries(Object.entries(clean).filter(([name]) => name !== file));
    expect(violations(files)).toContain(`@postern/one: expected the file ${file} in the tarball, got none`);
  });

  it("finds another licence", () => {
    expect(violations({ ...clean, LICENSE: "All rights reserved" })).toEqual([
      "@postern/one: expected our LICENSE, got another",
    ]);
  });

  it("finds an import that is no dependency", () => {
    expect(violations({ ...clean, "dist/deep/more.js": 'import("left-pad");' })).toEqual([
      "@postern/one: expected left-pad among the dependencies, because dist imports it",
    ]);
  });

  it("finds a dependency that nothing imports, as one that is bundled", () => {
    expect(violations(clean, { ...dependencies, "@postern/ssh": "^1.2.3" })).toEqual([
      "@postern/one: expected an import of its dependency @postern/ssh, got none",
    ]);
  });

  it("finds the code of another package", () => {
    const map = { sources: ["../src/index.ts", "../../wire/src/error.ts"] };
    expect(violations({ ...clean, "dist/chunks/a.js.map": map })).toEqual([
      `@postern/one: ${join("chunks", "a.js.map")} contains ../../wire/src/error.ts, which is not its own`,
    ]);
  });

  it.each(["^2.4.0", "2.4.0", "*"])("finds a noble package in the range %s", (range) => {
    expect(violations(clean, { ...dependencies, "@noble/hashes": range })).toEqual([
      `@postern/one: expected @noble/hashes in a range such as ~1.2.3, got ${range}`,
    ]);
  });

  it.each(["1.2.3", "workspace:^", "^1.2.2"])("finds a sibling in the range %s", (range) => {
    expect(violations(clean, { ...dependencies, "@postern/wire": range })).toEqual([
      `@postern/one: expected @postern/wire in the range ^1.2.3, got ${range}`,
    ]);
  });
});

describe("checkTarball of a bundle", () => {
  const bundle = {
    LICENSE: clean.LICENSE,
    "README.md": "# Program\n",
    "dist/index.js": "",
    "dist/index.d.ts": 'export type { Part } from "./parts/part.ts";\n',
    "dist/parts/part.d.ts": "export interface Part {}\n",
    "dist/program.js": '#!/usr/bin/env node\nimport "node:fs";\nawait import("./parts/part.js");\n',
    "dist/parts/part.js": "",
    "dist/THIRD-PARTY-LICENSES.txt": "MIT\n",
    "man/program.1": ".TH PROGRAM 1\n",
  };

  function found(files: Readonly<Record<string, string | object>>, more: object = {}): readonly string[] {
    using workspace = createWorkspace(files);
    const manifest = { version: "1.2.3", bin: { program: "dist/program.js" }, man: "man/program.1", ...more };
    return checkTarball({ name: "program", unpacked: workspace.root, manifest, bundled: true });
  }

  it("accepts a program with its parts, licences and man page", () => {
    expect(found(bundle)).toEqual([]);
  });

  it.each(["dist/program.js", "dist/THIRD-PARTY-LICENSES.txt", "man/program.1"])(
    "finds a tarball without %s",
    (file) => {
      const files = Object.fromEntries(Object.entries(bundle).filter(([name]) => name !== file));
      expect(found(files)).toEqual([`program: expected the file ${file} in the tarball, got none`]);
    },
  );

  it("finds a dependency", () => {
    expect(found(bundle, { dependencies: { "@noble/hashes": "~2.4.0" } })).toEqual([
      "program: expected no dependencies, got @noble/hashes",
    ]);
  });

  it("finds an import of a package, and of a file that is not published", () => {
    const code = 'import "@noble/hashes/sha2.js";\nimport "./absent.js";\n';
    expect(found({ ...bundle, "dist/parts/part.js": code })).toEqual([
      `program: ${join("parts", "part.js")} imports @noble/hashes, which is not installed`,
      `program: ${join("parts", "part.js")} imports ./absent.js, which is not in the tarball`,
    ]);
  });

  it("finds source maps, and paths of the machine that built it", () => {
    const files = { ...bundle, "dist/program.js.map": {}, "dist/parts/part.js": `// ${repository}packages/cli\n` };
    expect([...found(files)].sort()).toEqual([
      "program: expected no source maps, because the sources are not in the tarball, got program.js.map",
      `program: ${join("parts", "part.js")} contains the path of the workspace`,
    ]);
  });
});
