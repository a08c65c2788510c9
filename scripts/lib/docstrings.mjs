/** Reads interfaces, event classes and their doc comments with a parser. The documentation has them as tables. @module */
import { parse } from "./source.mjs";

/**
 * @typedef {{ name: string, type: string, isOptional: boolean, text: string }} Member
 * @typedef {{ name: string, text: string, members: Member[], base: string[] }} Declaration
 */

/** Returns the interfaces, classes and type aliases of a file by name. @returns {Map<string, Declaration>} */
export function declarationsOf(root, file) {
  const { text, program, comments } = parse(root, file);
  const docs = comments.filter(({ type, value }) => type === "Block" && value.startsWith("*"));
  const found = new Map();
  for (const statement of program.body) {
    const node = statement.type === "ExportNamedDeclaration" ? statement.declaration : statement;
    if (!node?.id?.name) continue;
    const members = (node.body?.body ?? []).filter(isMember).map((member) => ({
      name: member.key.name,
      type: member.typeAnnotation ? source(member.typeAnnotation.typeAnnotation) : "method",
      isOptional: member.optional === true,
      text: docOf(member),
    }));
    const base = (node.extends ?? []).map(({ expression }) => source(expression));
    found.set(node.id.name, { name: node.id.name, text: docOf(statement), members, base });
  }
  return found;

  function source({ start, end }) {
    return text.slice(start, end).replaceAll(/\s+/g, " ");
  }

  /** The docstring that ends where the node begins. */
  function docOf(node) {
    const doc = docs.find(({ end }) => end <= node.start && text.slice(end, node.start).trim() === "");
    if (doc === undefined) return "";
    const lines = doc.value.split("\n").map((line) => line.replace(/^\s*\*+ ?/, ""));
    const end = lines.findIndex((line) => /^@(?!module)/.test(line));
    return (end < 0 ? lines : lines.slice(0, end)).join("\n").trim();
  }
}

/** Returns a docstring as one line of Markdown. */
export function oneLine(text) {
  return text
    .replaceAll(/\{@link ([\w.]+)\}/g, "`$1`")
    .replaceAll(/\s+/g, " ")
    .replaceAll("|", "\\|")
    .trim();
}

function isMember({ type, key, accessibility }) {
  const isProperty = ["TSPropertySignature", "TSMethodSignature", "PropertyDefinition"].includes(type);
  return isProperty && key.type === "Identifier" && accessibility !== "private";
}
