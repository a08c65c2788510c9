/** Scores of a mutation run. @module */

/**
 * Returns the status of each change: noticed by a test, not noticed, not reached by any test, or only reached while
 * modules are loaded, where a change cannot be made later.
 */
export function statusesOf(changes, entries) {
  const ids = (key) => new Set(entries.flatMap((entry) => entry[key] ?? []));
  const [noticed, reached, onlyAtImport] = [ids("noticed"), ids("reached"), ids("onlyAtImport")];
  return changes.map((change) => {
    const { id } = change;
    if (noticed.has(id)) return { change, status: "noticed" };
    if (reached.has(id)) return { change, status: "not noticed" };
    return { change, status: onlyAtImport.has(id) ? "import" : "not reached" };
  });
}

/** Returns how many changes a test noticed. Changes of code that only runs at import do not count. */
export function scoreOf(results) {
  const counted = results.filter(({ status }) => status !== "import");
  const noticed = counted.filter(({ status }) => status === "noticed").length;
  return { noticed, counted: counted.length, percent: counted.length === 0 ? 100 : (100 * noticed) / counted.length };
}

/** Returns what is wrong with the score of a package, or `undefined` if it reaches the floor, in percent. */
export function scoreProblem(name, { noticed, counted, percent }, floor) {
  if (percent >= floor) return undefined;
  // Rounded down, because a score below the floor must not look like the floor.
  const got = `${Math.floor(10 * percent) / 10} % (${noticed} of ${counted})`;
  return `${name}: expected tests to notice at least ${floor} % of the changes, got ${got}`;
}
