/** Which licences of dependencies are accepted. */
import { describe, expect, it } from "vitest";
import { licenceViolations } from "../lib/licences.mjs";

const noble = { name: "@noble/hashes", licence: "MIT" };
const tool = (licence: string) => ({ name: "a-tool", licence });

describe("licenceViolations", () => {
  it("expects the MIT licence of what users install", () => {
    expect(licenceViolations([noble], [noble])).toEqual([]);
    expect(licenceViolations([tool("Apache-2.0")], [])).toEqual([
      "a-tool: expected MIT, because users install it, got Apache-2.0",
    ]);
  });

  it.each(["MIT", "Apache-2.0", "(MIT OR GPL-3.0-only)", "(BSD-2-Clause AND ISC)", "MPL-2.0"])(
    "accepts a tool under %s",
    (licence) => expect(licenceViolations([noble], [noble, tool(licence)])).toEqual([]),
  );

  it.each([
    "GPL-3.0-only",
    "Unknown",
    "UNLICENSED",
    "SEE LICENSE IN LICENSE.md",
    "(MIT AND GPL-3.0-only)",
    "BUSL-1.1",
    "",
  ])("finds a tool under '%s'", (licence) =>
    expect(licenceViolations([noble], [noble, tool(licence)])).toEqual([
      `a-tool: expected a licence of free software, got ${licence}`,
    ]),
  );
});
