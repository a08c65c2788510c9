/** Plants a mistake in a workflow, and expects check-workflows to name it. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createWorkflowCheck } from "../lib/workflows.mjs";
import { createWorkspace, repository, runScript, workspaceManifest } from "./workspace.ts";

const commit = "0123456789abcdef0123456789abcdef01234567";
const clean = `name: test
on:
  push:
    branches: [main]
permissions:
  contents: read
concurrency:
  group: test-\${{ github.ref }}
jobs:
  test:
    runs-on: \${{ matrix.os }}
    timeout-minutes: 5
    strategy:
      matrix:
        os: [ubuntu-latest, windows-latest]
        node: [20, 26]
    steps:
      - uses: actions/checkout@${commit} # v5.0.0
      - uses: actions/setup-node@${commit} # v5.0.0
        with:
          node-version: \${{ matrix.node }}
      - run: npm run check
        shell: bash
`;

const planted: [name: string, before: string, after: string, message: RegExp][] = [
  ["a key that does not exist", "timeout-minutes", "timeout-minute", /unexpected key "timeout-minute"/],
  ["an event that does not exist", "push:", "pushed:", /unknown Webhook event "pushed"/],
  ["a permission that does not exist", "contents: read", "contents: raed", /"raed" is invalid/],
  ["a runner that does not exist", "ubuntu-latest", "ubuntu-newest", /label "ubuntu-newest" is unknown/],
  ["a shell that does not exist", "shell: bash", "shell: bush", /shell name "bush" is invalid/],
  ["a malformed expression", "github.ref }}", "github.ref) }}", /parsing the expression/],
  ["an unknown context", "github.ref }}", "githb.ref }}", /undefined variable "githb"/],
  ["an unknown property", "github.ref }}", "github.rfe }}", /property "rfe" is not defined/],
  ["a dimension that the matrix lacks", "matrix.node }}", "matrix.version }}", /property "version" is not defined/],
  [
    "a job that needs another that is not there",
    "    strategy:",
    "    needs: build\n    strategy:",
    /needs job "build"/,
  ],
  ["no rights", "permissions:\n  contents: read\n", "", /expected `permissions`/],
  ["all rights", "permissions:\n  contents: read", "permissions: write-all", /expected each permission by name/],
  ["no time limit", "    timeout-minutes: 5\n", "", /expected timeout-minutes of the job test/],
  ["a command that does not exist", "npm run check", "npm run chekc", /expected a script chekc in package\.json/],
  ["an action by its tag", `checkout@${commit} # v5.0.0`, "checkout@v5", /expected an action by its commit/],
  ["a commit without its version", `checkout@${commit} # v5.0.0`, `checkout@${commit}`, /expected an action by its/],
  ["input in a command", "npm run check", `echo \${{ github.head_ref }}`, /untrusted/],
  ["a tag's name in a command", "npm run check", `echo \${{ github.ref_name }}`, /expected no input of others/],
];

const check = await createWorkflowCheck(workspaceManifest.scripts);

describe("check-workflows", () => {
  it.each(planted)("finds %s", (_name, before, after, message) => {
    expect(clean).toContain(before);
    expect(
      check(
        clean.replace(before, () => after),
        "test.yml",
      ),
    ).toEqual([expect.stringMatching(message)]);
  });

  it("accepts a clean workflow", () => {
    expect(check(clean, "test.yml")).toEqual([]);
  });

  it("fails for a tree with a violation, and for one without workflows", () => {
    const file = ".github/workflows/test.yml";
    using workspace = createWorkspace({
      "package.json": workspaceManifest,
      [file]: clean.replace("run check", "run chekc"),
    });
    const { status, stderr } = workspace.script("check-workflows.mjs");
    expect(stderr).toBe(`${file}: expected a script chekc in package.json, got none\n`);
    expect(status).toBe(1);
    rmSync(join(workspace.root, file));
    expect(workspace.script("check-workflows.mjs").status).toBe(1);
  });

  it("accepts this repository", () => {
    const { status, stdout } = runScript(repository, "check-workflows.mjs");
    expect(stdout).toMatch(/^check-workflows: \d workflows, 0 violations\n$/);
    expect(status).toBe(0);
  });
});
