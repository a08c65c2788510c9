/** Reads source files with a parser, so that comments and strings are not mistaken for code. @module */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { parseSync, visitorKeys } from "oxc-parser";

/**
 * @typedef {{ file: string, line: number, rule: string, text: string }} Violation
 * @typedef {{ name: string, line: number }} Use
 * @typedef {{
 *   file: string,
 *   imports: { specifier: string | undefined, line: number }[],
 *   names: Use[],
 *   members: { object: string, property: string, line: number }[],
 *   async: { what: string, line: number }[],
 *   nodeTypes: { line: number }[],
 * }} Source
 */

/** Returns the files below a folder, with `/` between the parts, sorted. A missing folder has none. */
function filesBelow(root, folder) {
  let entries;
  try {
    entries = readdirSync(join(root, folder), { withFileTypes: true, recursive: true });
  } catch {
    return [];
  }
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .filter((file) => !/(^|\/)(node_modules|dist)\//.test(file))
    .sort();
}

/** Returns the source files (TypeScript and JavaScript) below a folder. */
export function sourcesBelow(root, folder) {
  return filesBelow(root, folder).filter((file) => /\.[cm]?[jt]sx?$/.test(file));
}

/** Parses a file. @throws Error if it has a syntax error */
export function parse(root, file) {
  const text = readFileSync(join(root, file), "utf8");
  const { program, comments, errors } = parseSync(file, text);
  const [error] = errors;
  if (error) throw new Error(`${file}: ${error.message}`);
  return { text, program, comments };
}

/**
 * Returns the imports of a file and the names that it uses.
 * @returns {Source}
 */
export function readSource(root, file) {
  const { text, program, comments } = parse(root, file);
  const lineOf = lineFinder(text);
  /** @type {Source} */
  const source = { file, imports: [], names: [], members: [], async: [], nodeTypes: [] };
  for (const { type, value, start } of comments) {
    if (type === "Line" && /^\/\s*<reference\s+types=["']node["']/.test(value)) {
      source.nodeTypes.push({ line: lineOf(start) });
    }
  }
  walk(program, (node, parent, key) => {
    note(source, node, parent, key, lineOf(node.start));
    return true;
  });
  return source;
}

/** Prints the violations as `file:line: rule: text`, and sets the exit code. */
export function report(name, violations, checked) {
  for (const { file, line, rule, text } of violations) console.error(`${file}:${line}: ${rule}: ${text}`);
  console.log(`${name}: ${checked}, ${violations.length} violations`);
  process.exitCode = violations.length > 0 ? 1 : 0;
}

function note(source, node, parent, key, line) {
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportAllDeclaration":
    case "ExportNamedDeclaration":
    case "ImportExpression":
    case "TSImportType":
      if (node.source) source.imports.push({ specifier: textOf(node.source), line });
      break;
    case "TSExternalModuleReference":
      source.imports.push({ specifier: textOf(node.expression), line });
      break;
    case "CallExpression":
      if (node.callee.name === "require") source.imports.push({ specifier: textOf(node.arguments[0]), line });
      break;
    case "MemberExpression":
      if (node.object.type === "Identifier") {
        const property = node.computed ? textOf(node.property) : node.property.name;
        if (property !== undefined) source.members.push({ object: node.object.name, property, line });
      }
      break;
    case "VariableDeclarator":
      if (node.id.type === "ObjectPattern" && node.init?.type === "Identifier") {
        for (const { key: from } of node.id.properties) {
          const property = from && (from.name ?? textOf(from));
          if (property !== undefined) source.members.push({ object: node.init.name, property, line });
        }
      }
      break;
    case "AwaitExpression":
      source.async.push({ what: "await", line });
      break;
    case "ForOfStatement":
      if (node.await) source.async.push({ what: "for await", line });
      break;
    case "FunctionDeclaration":
    case "FunctionExpression":
    case "ArrowFunctionExpression":
      if (node.async) source.async.push({ what: "async", line });
      break;
    case "Identifier":
      if (isUse(parent, key)) source.names.push({ name: node.name, line });
      break;
  }
}

/** Returns false for the name of a member. A binding counts as a use, because a local `process` would mislead too. */
function isUse(parent, key) {
  switch (parent?.type) {
    case "MemberExpression":
      return key !== "property" || parent.computed;
    case "Property":
    case "PropertyDefinition":
    case "AccessorProperty":
    case "MethodDefinition":
    case "TSPropertySignature":
    case "TSMethodSignature":
    case "TSAbstractMethodDefinition":
    case "TSAbstractPropertyDefinition":
      return key !== "key" || parent.computed;
    case "ImportSpecifier":
      return key !== "imported";
    case "ExportSpecifier":
    case "ExportAllDeclaration":
      return false;
    case "TSQualifiedName":
      return key !== "right";
    case "TSImportType":
      return key !== "qualifier";
    default:
      return true;
  }
}

/** Returns the text of a string literal, or `undefined` for any other node. */
export function textOf(node) {
  if (node?.type === "Literal" && typeof node.value === "string") return node.value;
  if (node?.type === "TemplateLiteral" && node.expressions.length === 0) return node.quasis[0].value.cooked;
  return undefined;
}

/** Visits a node and, while `visit` returns `true`, the nodes below it. */
export function walk(node, visit, parent, key = "") {
  if (!visit(node, parent, key)) return;
  for (const childKey of visitorKeys[node.type] ?? []) {
    for (const child of [node[childKey]].flat()) if (child?.type) walk(child, visit, node, childKey);
  }
}

function lineFinder(text) {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let [low, high] = [0, starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle] <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}
