/** The licences of the packages whose code a bundle contains. @module */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Returns the texts of the licences, which their conditions require in every copy. `files` are relative to `folder`.
 * @throws Error if a package has no file LICENSE
 */
export function thirdPartyLicences(folder, files) {
  const found = new Map();
  for (const file of files) {
    const [, path, name] = /^(.*\/node_modules\/((?:@[^/]+\/)?[^/]+))\//.exec(file) ?? [];
    if (path !== undefined) found.set(name, join(folder, path));
  }
  const byName = (a, b) => (a[0] < b[0] ? -1 : 1);
  const parts = [...found].sort(byName).map(([name, path]) => {
    const { version, license } = JSON.parse(readFileSync(join(path, "package.json"), "utf8"));
    return `${name} ${version} (${license})\n\n${readFileSync(join(path, "LICENSE"), "utf8").trim()}\n`;
  });
  const opening = "The program postern contains code of these packages.\n";
  return [opening, ...parts].join(`\n${"-".repeat(80)}\n\n`);
}
