/** Reads and changes CHANGELOG.md, which follows Keep a Changelog 1.1.0. @module */

/** The sections of a version, in the order of Keep a Changelog. */
const changelogSections = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];

/**
 * Returns the next version (semver 2.0.0). `step` is `major`, `minor`, `patch`, `current` or a version.
 * @throws Error for another step, and for a version that is not later
 */
export function nextVersion(current, step) {
  const parts = numbers(current);
  const at = ["major", "minor", "patch"].indexOf(step);
  if (at >= 0) return parts.map((part, index) => (index < at ? part : index === at ? part + 1 : 0)).join(".");
  if (step === "current") return current;
  const given = numbers(step);
  const first = given.findIndex((part, index) => part !== parts[index]);
  if (first < 0 || given[first] < parts[first]) throw new Error(`expected a version after ${current}, got ${step}`);
  return step;
}

/**
 * Returns the notes of a version or of `Unreleased`, without the heading.
 * @throws Error if there is none, if it is empty, or has another section than those of Keep a Changelog
 */
export function notesOf(changelog, version) {
  const [, notes = ""] =
    new RegExp(`^## \\[${quote(version)}\\].*\\n([\\s\\S]*?)(?=^## |^\\[[^\\]]+\\]: |$(?![\\s\\S]))`, "m").exec(
      changelog,
    ) ?? [];
  const text = notes.trim();
  if (!/^- /m.test(text)) throw new Error(`expected notes of ${version} in CHANGELOG.md, got none`);
  for (const [, section] of text.matchAll(/^### (.*)$/gm)) {
    if (!changelogSections.includes(section)) {
      throw new Error(`expected one of ${changelogSections.join(", ")} in CHANGELOG.md, got ${section}`);
    }
  }
  return text;
}

/** Moves the section `Unreleased` to a version, with its date and the links at the end of the file. */
export function releaseNotes(changelog, { version, date, homepage }) {
  notesOf(changelog, "Unreleased");
  const versions = [...changelog.matchAll(/^## \[(\d[^\]]*)\]/gm)].map(([, name]) => name);
  if (versions.includes(version)) throw new Error(`expected no section ${version} in CHANGELOG.md, got one`);
  const [previous] = versions;
  const compare = previous === undefined ? `releases/tag/v${version}` : `compare/v${previous}...v${version}`;
  const links = `[Unreleased]: ${homepage}/compare/v${version}...HEAD\n[${version}]: ${homepage}/${compare}\n`;
  const renamed = changelog.replace(/^## \[Unreleased\]$/m, `## [Unreleased]\n\n## [${version}] - ${date}`);
  return /^\[Unreleased\]: .*\n/m.test(renamed)
    ? renamed.replace(/^\[Unreleased\]: .*\n/m, links)
    : `${renamed.trimEnd()}\n\n${links}`;
}

function numbers(version) {
  if (!/^\d+\.\d+\.\d+$/.test(version)) throw new Error(`expected a version such as 1.2.3, got ${version}`);
  return version.split(".").map(Number);
}

function quote(text) {
  return text.replaceAll(".", "\\.");
}
