/** Inserts counters into bundled code: one for each function, branch and loop body of our packages. @module */
import { parseSync } from "oxc-parser";

/** Declares the counters. `probe(n)` counts the step from the last block to block n, as AFL does. */
const runtime = `
const probes = { steps: 0, budget: Infinity, last: 0, touched: 0, spent: false };
const edges = new Uint16Array(65536), touched = new Uint32Array(65536), blocks = new Uint8Array(BLOCKS);
function probe(n) {
  const edge = (probes.last ^ (Math.imul(n, 0x9e3779b1) >>> 16)) & 0xffff;
  if (edges[edge]++ === 0) touched[probes.touched++] = edge;
  probes.last = Math.imul(n, 0x9e3779b1) >>> 17;
  blocks[n] = 1;
  if (++probes.steps > probes.budget) { probes.spent = true; throw new Error("fuzz: the budget of steps is spent"); }
}
export { probes as __probes, edges as __edges, touched as __touched, blocks as __blocks };
`;

/**
 * Returns the code of a bundle with counters, and the file of each block. Private members become readable: `#state` of
 * a class without a superclass is renamed to `__state`.
 */
export function instrument(code) {
  const { program, errors } = parseSync("bundle.js", code);
  if (errors.length > 0) throw new Error(`expected a bundle that parses, got: ${errors[0].message}`);
  const fileAt = createFileLookup(code);
  const edits = [];
  const files = [];
  const insert = (at, text) => edits.push({ at, until: at, text });
  const blockId = (at) => files.push(fileAt(at)) - 1;
  const counts = (node) => fileAt(node.start) !== undefined;

  const inBlock = (block) => insert(block.start + 1, `probe(${blockId(block.start)});`);
  const around = (node, visitInside) => {
    insert(node.start, `(probe(${blockId(node.start)}),`);
    visitInside();
    insert(node.end, ")");
  };
  const statement = (node, visitInside) => {
    if (node.type === "BlockStatement") {
      inBlock(node);
      return visitInside();
    }
    insert(node.start, `{probe(${blockId(node.start)});`);
    visitInside();
    insert(node.end, "}");
  };

  const visitAll = (nodes, renames) => {
    for (const one of Object.values(nodes)) visit(one, renames);
  };
  const visit = (node, renames) => {
    if (Array.isArray(node)) return visitAll(node, renames);
    if (node === null || typeof node !== "object" || typeof node.type !== "string") return;
    const children = (...names) => {
      for (const name of names) visit(node[name], renames);
    };
    switch (node.type) {
      case "ClassDeclaration":
      case "ClassExpression":
        return visitAll(node, node.superClass === null);
      case "PrivateIdentifier":
        if (renames) edits.push({ at: node.start, until: node.start + 1, text: "__" });
        return;
      default:
    }
    if (!counts(node)) return visitAll(node, renames);
    switch (node.type) {
      case "FunctionDeclaration":
      case "FunctionExpression":
        children("params");
        if (node.body) statement(node.body, () => visit(node.body, renames));
        return;
      case "ArrowFunctionExpression":
        children("params");
        if (node.body.type === "BlockStatement") statement(node.body, () => visit(node.body, renames));
        else around(node.body, () => visit(node.body, renames));
        return;
      case "IfStatement":
        children("test");
        statement(node.consequent, () => visit(node.consequent, renames));
        if (node.alternate) statement(node.alternate, () => visit(node.alternate, renames));
        return;
      case "ForStatement":
        children("init", "test", "update");
        return statement(node.body, () => visit(node.body, renames));
      case "ForOfStatement":
      case "ForInStatement":
        children("left", "right");
        return statement(node.body, () => visit(node.body, renames));
      case "WhileStatement":
        children("test");
        return statement(node.body, () => visit(node.body, renames));
      case "DoWhileStatement":
        statement(node.body, () => visit(node.body, renames));
        return children("test");
      case "SwitchCase":
        children("test");
        if (node.consequent.length > 0) insert(node.consequent[0].start, `probe(${blockId(node.start)});`);
        return children("consequent");
      case "CatchClause":
        inBlock(node.body);
        return children("body");
      case "ConditionalExpression":
        children("test");
        around(node.consequent, () => visit(node.consequent, renames));
        return around(node.alternate, () => visit(node.alternate, renames));
      case "LogicalExpression":
        children("left");
        return around(node.right, () => visit(node.right, renames));
      default:
        return visitAll(node, renames);
    }
  };
  visit(program, false);
  // A stable sort keeps the order of edits at one place.
  edits.sort((a, b) => a.at - b.at);
  let text = "";
  let from = 0;
  for (const edit of edits) {
    text += code.slice(from, edit.at) + edit.text;
    from = edit.until;
  }
  text += code.slice(from);
  return {
    code: runtime.replace("BLOCKS", String(files.length + 1)) + text,
    files,
    literals: literalsOf(code, fileAt),
  };
}

/** esbuild writes the path of each module before its code. Returns the path of one of ours, or `undefined`. */
function createFileLookup(code) {
  const starts = [...code.matchAll(/^\/\/ (\S+\.(?:ts|mjs|js))$/gm)].map(({ index, 1: file }) => ({ index, file }));
  return (at) => {
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (starts[middle].index <= at) low = middle + 1;
      else high = middle;
    }
    const { file } = starts[low - 1] ?? {};
    return file !== undefined && /^packages\/(?!testkit\/)[^/]+\/src\//.test(file) ? file : undefined;
  };
}

/** The short string literals of our code, by file: keywords that mutations insert. */
function literalsOf(code, fileAt) {
  const found = new Map();
  for (const { index, 1: text } of code.matchAll(/"((?:[^"\\\n]|\\.){2,60})"/g)) {
    const file = fileAt(index);
    if (file === undefined || /expected|\$\{|^\.\.?\//.test(text)) continue;
    if (!found.has(file)) found.set(file, new Set());
    found.get(file).add(text.replace(/\\(.)/g, (_all, char) => ({ n: "\n", r: "\r", t: "\t", 0: "\0" })[char] ?? char));
  }
  return found;
}
