/**
 * Checks the language of comments, test titles, error messages and Markdown pages, as far as patterns can.
 * `node scripts/check-prose.mjs [--count] [path...]`; `--count` prints the number of findings by folder.
 * @module
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./lib/run.mjs";
import { parse, report } from "./lib/source.mjs";

/** The formatter's width. It does not break comments. */
const maxColumns = 120;

/** A space in a pattern matches a line break too. */
const rules = [
  [/(^|[.:;] )What (?!(is|are|does|do|happens)\b[^.]*\?)/g, "name the noun instead of 'What'"],
  [/(^|[.:;] )Who (?![^.]*\?)/g, "name the noun instead of 'Who'"],
  [/\b(for|of|to|by|from|with|than|but) who\b/g, "name the noun instead of 'who'"],
  [/\bthat which\b/gi, "name the noun"],
  [/\b(whoever|nobody|somebody)\b/gi, "name the noun: the peer, the caller, a program"],
  [/\bgives (true|false|undefined|the|a|an|no|its|it|back|what)\b/gi, "'returns' instead of 'gives'"],
  [/\btells (whether|how|what|which|the|of|nothing)\b/gi, "'returns' or 'reports' instead of 'tells'"],
  [/, for (it|they|the|there|who|what|that|its|this|no|each|only|these|those)\b/g, "'because' instead of ', for'"],
  [/\blog(on|off)s?\b/gi, "'login' or 'close'"],
  [/\b(im)?patient(ly)?\b|\bstrangers?\b|\b(owes|owed)\b/gi, "no personification"],
].map(([pattern, advice]) => ({ pattern: new RegExp(pattern.source.replaceAll(" ", "\\s+"), pattern.flags), advice }));

const paths = process.argv.slice(2).filter((argument) => argument !== "--count");
const { stdout } = spawnSync("git", ["ls-files", "-co", "--exclude-standard", "--", ...paths], {
  cwd: root,
  encoding: "utf8",
});
const files = stdout
  .split("\n")
  .filter((file) => /\.(md|[cm]?ts|mjs)$/.test(file) && !file.endsWith("-code.ts") && existsSync(join(root, file)))
  // The list of patterns above breaks its own rules.
  .filter((file) => file !== "scripts/check-prose.mjs");
const violations = files.flatMap((file) => {
  const texts = file.endsWith(".md") ? textsOfPage(file) : textsOfSource(file);
  return texts.flatMap((text) => check(file, text)).sort((a, b) => a.line - b.line);
});
if (process.argv.includes("--count")) printCounts();
else report("check-prose", violations, `${files.length} files`);

function check(file, { text, line, columns = [] }) {
  const words = text.replaceAll(/`[^`]*`|\{@link [^}]*\}|https?:\S+/g, (code) => code.replaceAll(/[^\n]/g, "_"));
  const found = rules.flatMap(({ pattern, advice }) =>
    [...words.matchAll(pattern)].map((match) => ({
      line: line + words.slice(0, match.index + match[0].length).split("\n").length - 1,
      text: `'${match[0].replaceAll(/\s+/g, " ").trim()}': ${advice}`,
    })),
  );
  const wide = columns.flatMap((count, index) =>
    count > maxColumns
      ? [{ line: line + index, text: `expected at most ${maxColumns} columns of a comment, got ${count}` }]
      : [],
  );
  return [...found, ...wide].map((one) => ({ file, rule: "prose", ...one }));
}

/** A page without its code blocks. */
function textsOfPage(file) {
  const text = readFileSync(join(root, file), "utf8");
  return [{ text: text.replaceAll(/^```[\s\S]*?^```/gm, (code) => code.replaceAll(/[^\n]/g, "")), line: 1 }];
}

/** Comments, test titles and error messages. */
function textsOfSource(file) {
  const { text, program, comments } = parse(root, file);
  const lines = text.split("\n");
  const lineOf = (offset) => text.slice(0, offset).split("\n").length;
  const texts = [];
  for (const { type, value, start, end } of comments) {
    const line = lineOf(start);
    const columns = lines.slice(line - 1, lineOf(end)).map(({ length }) => length);
    const last = texts.at(-1);
    if (type === "Line" && last?.isLine && last.line + last.columns.length === line) {
      last.text += `\n${value.trim()}`;
      last.columns.push(...columns);
    } else {
      const isTool = /^\s*(biome-ignore|@ts-)/.test(value);
      const plain = value.replaceAll(/^[ \t]*\*? ?/gm, "");
      texts.push({ text: isTool ? "" : plain, line, columns: isTool ? [] : columns, isLine: type === "Line" });
    }
  }
  visit(program, (node) => {
    const isTest = node.type === "CallExpression" && /^(it|test|describe)\b/.test(text.slice(node.start, node.end));
    const isError = node.type === "NewExpression" && node.callee.name?.endsWith("Error") === true;
    for (const argument of isTest || isError ? node.arguments : []) {
      const isText = /^(Literal|TemplateLiteral)$/.test(argument.type);
      if (isText) texts.push({ text: text.slice(argument.start + 1, argument.end - 1), line: lineOf(argument.start) });
    }
  });
  return texts;
}

function visit(node, see) {
  if (typeof node !== "object" || node === null) return;
  if (typeof node.type === "string") see(node);
  for (const child of Object.values(node)) visit(child, see);
}

function printCounts() {
  const counts = new Map();
  for (const { file } of violations) {
    const [folder, name] = file.split("/");
    const place = folder === "packages" ? `packages/${name}` : folder;
    counts.set(place, (counts.get(place) ?? 0) + 1);
  }
  for (const [place, count] of [...counts].sort(([, a], [, b]) => b - a)) console.log(`${count}\t${place}`);
}
