/** A textlint plugin that reads the comments, test titles and error messages of source files. @module */
import { parseSync, Visitor } from "oxc-parser";

export class SourceProcessor {
  availableExtensions() {
    return [".ts", ".mts", ".cts", ".mjs"];
  }

  processor() {
    return { preProcess, postProcess: (messages, filePath) => ({ messages, filePath }) };
  }
}

/** Blanks everything but prose, so that each position stays that of the source. */
function preProcess(source, file) {
  const { program, comments } = parseSync(file, source);
  const texts = comments
    .filter(({ value }) => !/^\s*(biome-ignore|@ts-)/.test(value))
    .map(({ start, end }) => ({ type: "Comment", start, end }));
  const add = (args) => {
    for (const { type, start, end } of args) {
      if (/^(Literal|TemplateLiteral)$/.test(type)) texts.push({ type: "Str", start: start + 1, end: end - 1 });
    }
  };
  new Visitor({
    CallExpression({ start, arguments: args }) {
      if (/^(it|test|describe)\b/.test(source.slice(start, start + 10))) add(args);
    },
    NewExpression({ callee, arguments: args }) {
      if (callee.name?.endsWith("Error")) add(args);
    },
  }).visit(program);

  let text = "";
  const children = [];
  for (const { type, start, end } of texts.sort((a, b) => a.start - b.start)) {
    if (start < text.length) continue;
    text += blank(source.slice(text.length, start));
    const last = children.at(-1);
    // Line comments below each other are one text.
    const joins = last !== undefined && /^\n\s*\/\/$/.test(source.slice(last.range[1], start + 2));
    const prose = source
      .slice(start, end)
      .replaceAll(/^\s*(\/\/|\/?\*+\/?)|\*\/$/gm, blank)
      .replaceAll(/`[^`]*`|\{@link [^}]*\}|https?:\S+/g, (code) => code.replaceAll(/[^\n]/g, "_"));
    text += prose;
    if (joins) last.range[1] = end;
    // Comments start at the column 0, so that their width can be measured.
    else children.push({ type, range: [type === "Comment" ? text.lastIndexOf("\n", start - 1) + 1 : start, end] });
  }
  text += blank(source.slice(text.length));
  // textlint requires the lines of a document, and then computes them from `range`.
  const start = { line: 1, column: 0 };
  const loc = { start, end: start };
  const nodes = children.map((child) => ({ ...child, loc, raw: text.slice(...child.range) }));
  return { text, ast: { type: "Document", raw: text, range: [0, text.length], loc, children: nodes } };
}

function blank(text) {
  return text.replaceAll(/[^\n]/g, " ");
}
