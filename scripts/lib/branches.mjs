/** Branches that no test takes, from a coverage report in Istanbul's format. @module */

/**
 * @typedef {{ file: string, number: number, line: string }} Untaken
 * A branch that no test takes: the number and the text of the line where it begins.
 *
 * @typedef {{ file: string, line: string, branches?: number, reason: string }} Named
 * The branches that begin on lines with this text, 1 unless `branches` says otherwise, and why no test takes them.
 */

/** Returns the branches of one file that no test takes. */
export function untakenBranches({ file, coverage, lines }) {
  return Object.entries(coverage.branchMap).flatMap(([id, { loc, locations }]) =>
    locations.flatMap((location, arm) => {
      if (coverage.b[id][arm] > 0) return [];
      // An `else` that is not written has no place of its own.
      const number = location.start?.line ?? loc.start.line;
      return [{ file, number, line: lines[number - 1].trim() }];
    }),
  );
}

/** Returns the branches that no entry names, and those that an entry with another number of branches names. */
export function unnamedBranches(untaken, named) {
  return untaken.filter((branch) => {
    const entry = named.find((candidate) => isSameLine(candidate, branch));
    return entry === undefined || untaken.filter((other) => isSameLine(entry, other)).length > (entry.branches ?? 1);
  });
}

/** Returns the entries that name more branches than there are. */
export function entriesWithoutBranch(untaken, named) {
  return named.filter((entry) => untaken.filter((branch) => isSameLine(entry, branch)).length < (entry.branches ?? 1));
}

/** Counts the branches of each package. */
export function tallyByPackage(files) {
  const tallies = new Map();
  for (const { file, coverage } of files) {
    const name = file.split("/")[1];
    const tally = tallies.get(name) ?? { name, total: 0, taken: 0 };
    const counts = Object.values(coverage.b).flat();
    tally.total += counts.length;
    tally.taken += counts.filter((count) => count > 0).length;
    tallies.set(name, tally);
  }
  return [...tallies.values()];
}

function isSameLine(one, other) {
  return one.file === other.file && one.line === other.line;
}
