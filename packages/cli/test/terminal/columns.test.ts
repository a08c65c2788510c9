import { expect, test } from "vitest";
import { fitColumns } from "../../src/terminal/columns.ts";

test.each([
  ["open host", 9, "open host"],
  ["open host", 8, "open ho…"],
  ["長い名前", 8, "長い名前"],
  ["長い名前", 7, "長い名…"],
  ["長い名前", 6, "長い…"],
  ["e\u0301e\u0301", 2, "e\u0301e\u0301"],
  ["ab", 1, "…"],
  ["ab", 0, ""],
])("fits %j into %i columns", (text, columns, shown) => {
  expect(fitColumns(text, columns)).toBe(shown);
});
