import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type Keyword, keywords } from "../../src/host/sshd-config/keywords.ts";

const page = join(import.meta.dirname, "../../../../docs/host-command.md");
const [begin, end] = ["<!-- keywords -->\n", "<!-- /keywords -->"];

function effect({ use, inMatch }: Keyword): string {
  if (typeof use === "object") return `refused, except \`${use.refusedUnless.join("`, `")}\``;
  if (use === "ignored") return "none";
  if (use === "global") return "yes, outside of `Match`";
  return inMatch ? "yes, in `Match` too" : "yes";
}

function table(): string {
  const rows = keywords.map((one) => `| \`${one.name}\` | ${effect(one)} | ${one.note ?? ""} |`.replace(/ {2}/g, " "));
  return `\n| keyword | effect | remark |\n| --- | --- | --- |\n${rows.join("\n")}\n\n`;
}

it("lists every keyword and its effect in the documentation", () => {
  const text = readFileSync(page, "utf8");
  const start = text.indexOf(begin) + begin.length;
  // POSTERN_WRITE_DOCS=1 writes the table after a change.
  if (process.env.POSTERN_WRITE_DOCS === "1")
    writeFileSync(page, text.slice(0, start) + table() + text.slice(text.indexOf(end)));
  expect(readFileSync(page, "utf8").slice(start)).toContain(table());
});
