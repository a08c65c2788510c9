/**
 * Every type that a public signature mentions is exported from the same entry, under any name. Looks at the
 * declarations of the platform packages, from which programs import. `npm run check:exports` needs the build.
 * @module
 */
import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import ts from "typescript-6.0";
import { root } from "./lib/run.mjs";

const entries = ["node", "web"].map((folder) => join(root, "packages", folder, "dist", "index.d.ts"));
for (const entry of entries) if (!existsSync(entry)) fail("the packages are not built: npm run build");

const program = ts.createProgram(entries, {
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  types: ["node"],
  typeRoots: [join(root, "node_modules", "@types")],
});
const packagePath = /^(.*\/packages\/[^/]+)\/dist\//;
const entryExports = new Map();
const checker = program.getTypeChecker();
let missing = 0;
let checked = 0;
for (const entry of entries) checkEntry(entry);
if (missing > 0) fail(`${missing} types are mentioned, but not exported`);
console.log(`check-exports: ${checked} exports of ${entries.length} packages`);

function checkEntry(entry) {
  const exported = exportsOf(entry);
  const reported = new Set();
  for (const [symbol, name] of exported) {
    checked++;
    for (const declaration of symbol.declarations ?? []) {
      for (const mentioned of mentionedBy(declaration)) {
        if (exported.has(mentioned) || reported.has(mentioned)) continue;
        reported.add(mentioned);
        missing++;
        console.error(`${relative(root, entry)}: ${name} mentions ${mentioned.name}, which is not exported`);
      }
    }
  }
}

/**
 * The types of ours that a declaration mentions, except in private members. A base class, a base interface, and a type
 * that its own package keeps to itself need no export: what they mention in turn is looked at instead.
 */
function* mentionedBy(node, seen = new Set()) {
  if (ts.isSourceFile(node) || seen.has(node)) return;
  seen.add(node);
  if (ts.isClassElement(node) && ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Private) return;
  const name = nameIn(node);
  const symbol = name && resolve(checker.getSymbolAtLocation(name));
  if (symbol !== undefined && isOurs(symbol)) {
    const isBase = ts.isExpressionWithTypeArguments(node);
    if (!isBase && isExportedByItsPackage(symbol)) yield symbol;
    else for (const declaration of symbol.declarations) yield* inherited(declaration, isBase, seen);
  }
  for (const child of childrenOf(node)) yield* mentionedBy(child, seen);
}

/** A class does not inherit the signature of its base's constructor. */
function* inherited(declaration, isBase, seen) {
  const children = isBase
    ? childrenOf(declaration).filter((child) => !ts.isConstructorDeclaration(child))
    : [declaration];
  for (const child of children) yield* mentionedBy(child, seen);
}

function childrenOf(node) {
  const children = [];
  ts.forEachChild(node, (child) => void children.push(child));
  return children;
}

function nameIn(node) {
  if (ts.isTypeReferenceNode(node)) return node.typeName;
  if (ts.isTypeQueryNode(node)) return node.exprName;
  return ts.isExpressionWithTypeArguments(node) ? node.expression : undefined;
}

function isOurs(symbol) {
  if (symbol.flags & ts.SymbolFlags.TypeParameter) return false;
  return symbol.declarations?.some((one) => packagePath.test(one.getSourceFile().fileName)) ?? false;
}

function isExportedByItsPackage(symbol) {
  return symbol.declarations.some((declaration) => {
    const [, folder] = packagePath.exec(declaration.getSourceFile().fileName);
    return exportsOf(join(folder, "dist", "index.d.ts")).has(symbol);
  });
}

/** The exported symbols of an entry, with their names. */
function exportsOf(entry) {
  const known = entryExports.get(entry);
  if (known !== undefined) return known;
  const module = checker.getSymbolAtLocation(program.getSourceFile(entry));
  const exported = new Map(checker.getExportsOfModule(module).map((symbol) => [resolve(symbol), symbol.name]));
  entryExports.set(entry, exported);
  return exported;
}

function resolve(symbol) {
  return symbol !== undefined && symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
}

function fail(why) {
  console.error(`check-exports: ${why}`);
  process.exit(1);
}
