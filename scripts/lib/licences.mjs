/** The accepted licences of dependencies. @module */

/** Licences of tools. None of their code is in a package. */
const tools = new Set(
  "MIT ISC MIT-0 0BSD Apache-2.0 BSD-2-Clause BSD-3-Clause BlueOak-1.0.0 Python-2.0 CC0-1.0 CC-BY-3.0 CC-BY-4.0 CC-BY-SA-4.0 MPL-2.0 Unlicense WTFPL".split(
    " ",
  ),
);
/** Word lists of the spelling check, whose licence has no SPDX name. */
const known = new Map([["@cspell/dict-en-common-misspellings", "CC-BY-SA-4.0"]]);

/** Returns the violations among the dependencies of users, and among all, the tools included. */
export function licenceViolations(shipped, all) {
  return [
    ...shipped.filter(({ licence }) => licence !== "MIT").map((one) => describe(one, "MIT, because users install it")),
    ...all
      .filter(({ name, licence }) => !isFree(known.get(name) ?? licence))
      .map((one) => describe(one, "a licence of free software")),
  ];
}

function describe({ name, licence }, expected) {
  return `${name}: expected ${expected}, got ${licence}`;
}

/** `(MIT OR GPL-3.0)` is accepted if one is, `MIT AND ISC` if both are. */
function isFree(licence) {
  return licence
    .replaceAll(/[()]/g, "")
    .split(" OR ")
    .some((choice) => choice.split(" AND ").every((one) => tools.has(one)));
}
