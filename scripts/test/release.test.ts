/** Releases a small workspace, and plants what must stop a release. */
import { createHash } from "node:crypto";
import { readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createWorkspace,
  type Outcome,
  packageManifest,
  repository,
  type Workspace,
  workspaceManifest,
} from "./workspace.ts";

const { packageManager } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));
const compilerOptions = { composite: true, rootDir: "src", outDir: "dist", tsBuildInfoFile: "dist/.tsbuildinfo" };
const files = {
  ".gitignore": "node_modules\ndist/\nrelease/\n.pack/\n",
  LICENSE: "MIT\n",
  "CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A door.\n",
  "package.json": { ...workspaceManifest, packageManager },
  "pnpm-workspace.yaml": "packages:\n  - packages/*\npmOnFail: ignore\n",
  "tsconfig.build.json": { files: [], references: [{ path: "packages/one" }] },
  "packages/one/README.md": "# One\n",
  "packages/one/package.json": packageManifest,
  "packages/one/tsconfig.json": {
    compilerOptions: { ...compilerOptions, module: "nodenext", emitDeclarationOnly: true, types: [] },
    include: ["src"],
  },
  "packages/one/src/index.ts": "export const one: number = 1;\n",
};

describe("release", () => {
  let workspace: Workspace;
  const release = (...args: readonly string[]): Outcome => workspace.script("release.mjs", ...args);
  const git = (...args: readonly string[]): string => {
    const { status, stdout, stderr } = workspace.run("git", ...args);
    if (status !== 0) throw new Error(stderr);
    return stdout.trim();
  };
  const read = (...path: readonly string[]): string => readFileSync(join(workspace.root, ...path), "utf8");

  beforeAll(() => {
    workspace = createWorkspace(files);
    git("init", "--quiet", "--initial-branch", "main");
    git("config", "user.name", "Someone");
    git("config", "user.email", "someone@example.com");
    git("add", "--all");
    git("commit", "--quiet", "--message", "first");
  });
  afterAll(() => workspace[Symbol.dispose]());

  it.each([
    [[], "got undefined"],
    [["--dry-run"], "got --dry-run"],
    [["minor", "--dryrun"], "got --dryrun"],
    [["mayor"], "expected a version such as 1.2.3, got mayor"],
    [["1.2.2"], "expected a version after 1.2.3, got 1.2.2"],
    [["current", "--publish"], "expected the tag v1.2.3, got undefined"],
  ])("rejects %j", (args, message) => {
    const { status, stderr } = release(...args);
    expect(stderr).toContain(message);
    expect(status).toBe(1);
    expect(git("status", "--porcelain")).toBe("");
  });

  it("rejects a tree with changes", () => {
    writeFileSync(join(workspace.root, "extra.txt"), "");
    const { status, stderr } = release("minor");
    rmSync(join(workspace.root, "extra.txt"));
    expect(stderr).toBe("release: expected a clean tree, got changes: commit them first\n");
    expect(status).toBe(1);
  });

  it("rejects a tag that exists", () => {
    git("tag", "v1.3.0");
    const { status, stderr } = release("minor");
    git("tag", "--delete", "v1.3.0");
    expect(stderr).toBe("release: expected no tag v1.3.0, got one\n");
    expect(status).toBe(1);
  });

  describe("of a minor version", () => {
    let outcome: Outcome;
    beforeAll(() => {
      outcome = release("minor");
    }, 300_000);

    it("sets the version of the workspace and of each package, and commits and tags it", () => {
      expect(outcome.status, outcome.stderr).toBe(0);
      expect(outcome.stdout).toContain("tagged v1.3.0: push it");
      expect(JSON.parse(read("package.json")).version).toBe("1.3.0");
      expect(JSON.parse(read("packages", "one", "package.json"))).toEqual({ ...packageManifest, version: "1.3.0" });
      expect(git("log", "-1", "--format=%s", "v1.3.0")).toBe("release: 1.3.0");
      expect(git("cat-file", "-t", "v1.3.0")).toBe("tag");
      expect(git("status", "--porcelain")).toBe("");
    });

    it("moves the notes to the version, with its date and links", () => {
      const changelog = read("CHANGELOG.md");
      expect(changelog).toMatch(/## \[Unreleased\]\n\n## \[1\.3\.0\] - \d{4}-\d\d-\d\d\n\n### Added\n\n- A door\.\n/);
      expect(changelog).toContain("[Unreleased]: https://example.com/repository/compare/v1.3.0...HEAD\n");
      expect(changelog).toContain("[1.3.0]: https://example.com/repository/releases/tag/v1.3.0\n");
      expect(read("release", "NOTES.md")).toBe("### Added\n\n- A door.\n");
    });

    it("writes the checksum of each tarball and of the bill of materials, as sha256sum reads them", () => {
      const sums = read("release", "SHA256SUMS").trimEnd().split("\n");
      expect(sums.map((line) => line.slice(66))).toEqual(["postern-one-1.3.0.tgz", "postern-1.3.0.cdx.json"]);
      for (const line of sums) {
        const file = readFileSync(join(workspace.root, "release", line.slice(66)));
        expect(line.slice(0, 66)).toBe(`${createHash("sha256").update(file).digest("hex")}  `);
      }
    });

    it("writes a bill of materials that is valid, with the checksum of each package (CycloneDX 1.6)", async () => {
      const bom = read("release", "postern-1.3.0.cdx.json");
      const { metadata, components } = JSON.parse(bom);
      expect(metadata.component).toMatchObject({
        name: "workspace",
        version: "1.3.0",
        licenses: [{ license: { id: "MIT" } }],
      });
      const tarball = readFileSync(join(workspace.root, "release", "postern-one-1.3.0.tgz"));
      const hashes = [{ alg: "SHA-512", content: createHash("sha512").update(tarball).digest("hex") }];
      expect(components).toHaveLength(1);
      expect(components[0]).toMatchObject({ group: "@postern", name: "one", version: "1.3.0", hashes });
      expect(await schemaErrors(bom)).toBe(null);
      expect(await schemaErrors(bom.replace('"components"', '"parts"'))).not.toBe(null);
    });
  });

  it("rejects a second release without new notes", () => {
    const { status, stderr } = release("patch");
    expect(stderr).toBe("release: expected notes of Unreleased in CHANGELOG.md, got none\n");
    expect(status).toBe(1);
  });
});

/** Validates with the official schema. Returns `null` for a valid document. */
async function schemaErrors(bom: string): Promise<unknown> {
  // A dependency of the tool, so that it needs no version of its own here.
  const tool = realpathSync(join(repository, "node_modules", "@cyclonedx", "cyclonedx-npm", "package.json"));
  const { JsonStrictValidator } = createRequire(tool)("@cyclonedx/cyclonedx-library/Validation");
  return await new JsonStrictValidator("1.6").validate(bom);
}
