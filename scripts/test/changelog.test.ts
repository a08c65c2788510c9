/** The changelog follows Keep a Changelog, and releases move its notes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { nextVersion, notesOf, releaseNotes } from "../lib/changelog.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));

const before = `# Changelog

## [Unreleased]

### Added

- A door.

### Fixed

- The hinge.

## [1.2.3] - 2026-01-02

### Security

- A lock.

[Unreleased]: https://example.com/compare/v1.2.3...HEAD
[1.2.3]: https://example.com/releases/tag/v1.2.3
`;
const release = { version: "1.3.0", date: "2026-02-03", homepage: "https://example.com" };

describe("nextVersion", () => {
  it.each([
    ["major", "2.0.0"],
    ["minor", "1.3.0"],
    ["patch", "1.2.4"],
    ["current", "1.2.3"],
    ["1.10.0", "1.10.0"],
  ])("returns for the step %s the version %s (semver 2.0.0, clauses 6 to 8)", (step, version) => {
    expect(nextVersion("1.2.3", step)).toBe(version);
  });

  it.each(["1.2.3", "1.2.2", "0.9.9", "1.2", "v2.0.0", "2.0.0-beta", "mayor"])("rejects the step %s", (step) => {
    expect(() => nextVersion("1.2.3", step)).toThrow(/expected a version/);
  });
});

describe("notesOf", () => {
  it("returns the sections of one version", () => {
    expect(notesOf(before, "Unreleased")).toBe("### Added\n\n- A door.\n\n### Fixed\n\n- The hinge.");
    expect(notesOf(before, "1.2.3")).toBe("### Security\n\n- A lock.");
  });

  it("rejects a version without notes, and a section that Keep a Changelog does not have", () => {
    expect(() => notesOf(before, "1.2.4")).toThrow("expected notes of 1.2.4 in CHANGELOG.md, got none");
    expect(() => notesOf(before.replace("### Fixed", "### Repaired"), "Unreleased")).toThrow("got Repaired");
  });

  it("reads the changelog of this repository", () => {
    const changelog = readFileSync(join(root, "CHANGELOG.md"), "utf8");
    const [, latest = ""] = /^## \[([^\]]+)\]/m.exec(changelog.replace(/^## \[Unreleased\]\s+(?=## )/m, "")) ?? [];
    expect(notesOf(changelog, latest)).toMatch(/^### /);
  });
});

describe("releaseNotes", () => {
  const after = releaseNotes(before, release);

  it("moves the unreleased notes to the version, and leaves the older ones", () => {
    expect(notesOf(after, "1.3.0")).toBe(notesOf(before, "Unreleased"));
    expect(notesOf(after, "1.2.3")).toBe(notesOf(before, "1.2.3"));
    expect(after).toContain("## [Unreleased]\n\n## [1.3.0] - 2026-02-03\n");
    expect(() => notesOf(after, "Unreleased")).toThrow("got none");
  });

  it("links each version to its changes", () => {
    expect(after.slice(after.indexOf("[Unreleased]: "))).toBe(
      [
        "[Unreleased]: https://example.com/compare/v1.3.0...HEAD",
        "[1.3.0]: https://example.com/compare/v1.2.3...v1.3.0",
        "[1.2.3]: https://example.com/releases/tag/v1.2.3",
        "",
      ].join("\n"),
    );
  });

  it("adds the links of a first version", () => {
    const first = releaseNotes("# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A door.\n", release);
    expect(first).toContain("[1.3.0]: https://example.com/releases/tag/v1.3.0\n");
  });

  it("rejects a release without notes, and a second one of the same version", () => {
    expect(() => releaseNotes(after, release)).toThrow("expected notes of Unreleased");
    const again = after.replace("## [Unreleased]\n", "## [Unreleased]\n\n- A key.\n");
    expect(() => releaseNotes(again, release)).toThrow("expected no section 1.3.0");
  });
});
