/** The state tables of the documentation: complete, allowed by the RFCs, and up to date. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { exploreStates } from "../lib/fuzz/state-tables.mjs";

describe("the exploration of both roles", async () => {
  const { page, violations, roles, rules, isMessage } = await exploreStates();

  it("ends, because no input leads to a new state", () => {
    for (const { role, found } of roles) {
      expect(found.depth, role).toBeLessThan(30);
      expect(found.states.size, role).toBeGreaterThan(100);
    }
  });

  it("finds only reactions that a clause allows", () => {
    expect(violations).toEqual([]);
  });

  it("compares with rules that refuse a session that accepts everything", () => {
    for (const { role, found } of roles) {
      const messages = found.transitions.filter(isMessage);
      const refused = messages.filter(
        ({ from, input }) => !rules.allows(rules.ruleFor(role, from, input), "→ USERAUTH_SUCCESS"),
      );
      // The rest are correct logins.
      expect(messages.length - refused.length, role).toBeLessThan(20);
    }
  });

  it("is the content of docs/audit/states.md; run node scripts/generate-states.mjs", () => {
    expect(readFileSync("docs/audit/states.md", "utf8")).toBe(page);
  });
});
