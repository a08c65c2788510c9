/** Plants a mistake in the manifest of a package, and expects check-manifests to name it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createWorkspace, packageManifest, repository, runScript, workspaceManifest } from "./workspace.ts";

const file = "packages/one/package.json";
const clean = { "package.json": workspaceManifest, [file]: packageManifest, "packages/one/README.md": "# One\n" };
const entry = packageManifest.exports["."];
const fromWorkspace = "license author homepage repository bugs funding sideEffects engines publishConfig".split(" ");

const planted: [name: string, change: object, field: string][] = [
  ["another version", { version: "1.2.2" }, "version"],
  ...fromWorkspace.map((field): [string, object, string] => [`no ${field}`, { [field]: undefined }, field]),
  ["a repository without its folder", { repository: workspaceManifest.repository }, "repository"],
  ["publishing without provenance", { publishConfig: { access: "public" } }, "publishConfig"],
  ["side effects", { sideEffects: true }, "sideEffects"],
  ["no description", { description: "" }, "description"],
  ["no keyword of its own", { keywords: packageManifest.keywords.slice(0, 3) }, "keywords"],
  ["no common keywords", { keywords: ["one"] }, "keywords"],
  ["no LICENSE in the tarball", { files: ["dist", "src", "README.md"] }, "files"],
  ["exports without types", { exports: { ".": { ...entry, types: undefined } } }, 'exports["."]'],
  [
    "types after the code",
    { exports: { ".": { "@postern/source": "./x.ts", default: "./x.js", types: "./x.d.ts" } } },
    'exports["."]',
  ],
];

describe("check-manifests", () => {
  it.each(planted)("finds %s", (_name, change, field) => {
    using workspace = createWorkspace({ ...clean, [file]: { ...packageManifest, ...change } });
    const { status, stderr } = workspace.script("check-manifests.mjs");
    const fields = [...stderr.matchAll(/^packages\/one\/package\.json: (\S+): expected /gm)].map(([, name]) => name);
    expect(new Set(fields)).toEqual(new Set([field]));
    expect(status).toBe(1);
  });

  it("finds a package without a README", () => {
    using workspace = createWorkspace({ "package.json": workspaceManifest, [file]: packageManifest });
    expect(workspace.script("check-manifests.mjs").stderr).toContain("README.md: expected a page");
  });

  it("expects only the version of a private package", () => {
    using workspace = createWorkspace({ ...clean, "packages/two/package.json": { private: true, version: "1.2.2" } });
    const { status, stderr } = workspace.script("check-manifests.mjs");
    expect(stderr).toContain('packages/two/package.json: version: expected "1.2.3", got "1.2.2"');
    expect(status).toBe(1);
  });

  it("corrects what the workspace states", () => {
    const { license: _, ...rest } = packageManifest;
    using workspace = createWorkspace({ ...clean, [file]: { ...rest, version: "1.0.0" } });
    expect(workspace.script("check-manifests.mjs", "--write").status).toBe(0);
    const written = readFileSync(join(workspace.root, file), "utf8");
    expect(written).toBe(`${JSON.stringify(packageManifest, null, 2)}\n`);
  });

  it("accepts a clean tree", () => {
    using workspace = createWorkspace(clean);
    const { status, stdout, stderr } = workspace.script("check-manifests.mjs");
    expect([stdout, stderr]).toEqual(["check-manifests: 1 packages, version 1.2.3\n", ""]);
    expect(status).toBe(0);
  });

  it("accepts this repository", () => {
    const { status, stdout } = runScript(repository, "check-manifests.mjs");
    expect(stdout).toMatch(/^check-manifests: \d+ packages, version \d+\.\d+\.\d+\n$/);
    expect(status).toBe(0);
  });
});
