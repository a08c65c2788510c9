/**
 * Checks the language of comments, test titles, error messages and Markdown pages, as far as patterns can. The patterns
 * are those of `.textlintrc.json`. `node scripts/check-prose.mjs [path...]`
 * @module
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { TextlintKernel } from "@textlint/kernel";
import markdownModule from "@textlint/textlint-plugin-markdown";
import patternModule from "@textlint-rule/textlint-rule-pattern";
import { root } from "./lib/run.mjs";
import { report } from "./lib/source.mjs";
import { SourceProcessor } from "./lib/source-prose.mjs";

/** The formatter's width. It does not break comments. */
const maxColumns = 120;

const { rules } = JSON.parse(readFileSync(join(root, ".textlintrc.json"), "utf8"));
const options = {
  plugins: [
    { pluginId: "markdown", plugin: markdownModule.default },
    { pluginId: "source", plugin: { Processor: SourceProcessor } },
  ],
  rules: [
    { ruleId: "prose", rule: patternModule.default, options: rules["@textlint-rule/pattern"] },
    { ruleId: "width", rule: checkWidth },
  ],
};

const { stdout } = spawnSync("git", ["ls-files", "-co", "--exclude-standard", "--", ...process.argv.slice(2)], {
  cwd: root,
  encoding: "utf8",
});
const files = stdout
  .split("\n")
  .filter((file) => /\.(md|[cm]?ts|mjs)$/.test(file) && !file.endsWith("-code.ts") && existsSync(join(root, file)));
const kernel = new TextlintKernel();
const violations = [];
for (const file of files) {
  const text = readFileSync(join(root, file), "utf8");
  const { messages } = await kernel.lintText(text, { ...options, filePath: join(root, file), ext: extname(file) });
  for (const { line, ruleId, message, range } of messages) {
    const words = text
      .slice(...range)
      .replaceAll(/\s+/g, " ")
      .trim();
    violations.push({ file, line, rule: ruleId, text: `'${words}': ${message}` });
  }
}
report("check-prose", violations, `${files.length} files`);

/** A textlint rule: no comment is wider than code. */
function checkWidth({ Syntax, RuleError, locator, report: found, getSource }) {
  return {
    [Syntax.Comment](node) {
      for (const { 0: line, index } of getSource(node).matchAll(/.+/g)) {
        if (line.trimEnd().length <= maxColumns) continue;
        const padding = locator.range([index, index + line.length]);
        found(node, new RuleError(`expected at most ${maxColumns} columns, got ${line.length}`, { padding }));
      }
    },
  };
}
