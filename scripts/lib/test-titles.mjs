/** Reads the titles of tests with a parser. @module */
import { parse, textOf, walk } from "./source.mjs";

const groups = new Set(["describe", "suite"]);
const tests = new Set(["it", "test"]);

/**
 * Returns the titles of the tests in a file, each with its groups: `a packet > is rejected`. Titles are as they are
 * written: `%s` and `${…}` are not filled in, and `it(title, …)` has the title `${title}`.
 */
export function testTitles(root, file) {
  const { text, program } = parse(root, file);
  const titles = [];
  collect(program, []);
  return titles;

  function collect(node, above) {
    walk(node, (child) => {
      if (child === node || child.type !== "CallExpression") return true;
      const name = calleeOf(child.callee);
      const isGroup = groups.has(name);
      if (!isGroup && !tests.has(name)) return true;
      const path = [...above, titleOf(child.arguments[0])];
      if (isGroup) for (const argument of child.arguments.slice(1)) collect(argument, path);
      else titles.push(path.join(" > "));
      return false;
    });
  }

  function titleOf(node) {
    if (node === undefined) return "";
    const source = text.slice(node.start, node.end);
    return node.type === "TemplateLiteral" ? source.slice(1, -1) : (textOf(node) ?? `\${${source}}`);
  }
}

/** Returns the first name of `it`, `it.skipIf(…)` and `it.each(…)`. */
function calleeOf(node) {
  if (node.type === "Identifier") return node.name;
  if (node.type === "MemberExpression") return calleeOf(node.object);
  if (node.type === "CallExpression") return calleeOf(node.callee);
  return undefined;
}
