/**
 * Checks the Markdown pages: links and anchors, code blocks, the table of errors, and the generated pages.
 *
 * - A block of TypeScript is type-checked against the packages. A block without an import may use the names of
 *   the first block of its page that has one.
 * - It is either a program, which a test runs, or marked as a fragment: `ts fragment`.
 * - Other blocks are checked by a tool of their language. A language without a check is an error.
 *
 * `npm run check:docs`
 * @module
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { slug } from "../site/lib/slug.mjs";
import { checkBlock } from "./lib/block-checks.mjs";
import { splitPage, testOf } from "./lib/code-blocks.mjs";
import { declarationsOf } from "./lib/docstrings.mjs";
import { root, run } from "./lib/run.mjs";

const { stdout } = spawnSync("git", ["ls-files", "-co", "--exclude-standard", "--", "*.md"], {
  cwd: root,
  encoding: "utf8",
});
const files = stdout.split("\n").filter((file) => file !== "" && existsSync(join(root, file)));
const pages = new Map(files.map((file) => [file, splitPage(readFileSync(join(root, file), "utf8"))]));
const problems = [];

const links = [...pages].flatMap(([file, { text }]) => checkLinks(file, text));
const blocks = [...pages].flatMap(([file, page]) => page.blocks.map((block) => ({ file, ...block })));
const verdicts = blocks.map(checkOne);
checkTypes();
checkErrors();
checkListed();
if (run("node", ["scripts/generate-docs.mjs", "--check"]) !== 0) problems.push("generated pages are outdated");

for (const problem of problems) console.error(problem);
const counts = [...new Set(verdicts)].sort().map((one) => `${verdicts.filter((other) => other === one).length} ${one}`);
console.log(
  `check-docs: ${files.length} pages, ${links.length} links, ${blocks.length} code blocks (${counts.join(", ")}), ` +
    `${problems.length} problems`,
);
process.exitCode = problems.length > 0 ? 1 : 0;

/** Returns the links of a page. Relative ones must lead to a file, and to a heading in it. */
function checkLinks(file, text) {
  const found = [...text.replaceAll(/`[^`]*`/g, "`").matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target);
  for (const target of found) {
    if (target.startsWith("https:")) continue;
    const [path, anchor] = target.split("#");
    const to = path === "" ? file : posix.join(posix.dirname(file), path);
    const isFolder = statSync(join(root, to), { throwIfNoEntry: false })?.isDirectory();
    const page = pages.get(isFolder ? posix.join(to, "README.md") : to);
    if (!existsSync(join(root, to))) problems.push(`${file}: expected a file, got the link ${target}`);
    else if (anchor !== undefined && !anchorsOf(page?.text ?? "").has(anchor))
      problems.push(`${file}: expected a heading, got the link ${target}`);
  }
  return found;
}

/** Returns the anchors that GitHub and the site give to the headings of a page. */
function anchorsOf(text) {
  return new Set([...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => slug(heading)));
}

/** Checks a block by its language. Returns the language and how far it is checked. */
function checkOne({ file, line, language, mark, code }) {
  const isCode = language === "ts" || language === "js";
  const isFragment = isCode && mark === "fragment";
  const at = `${file}:${line}`;
  if (mark !== "" && !isFragment) problems.push(`${at}: expected no word but \`fragment\` after ts or js, got ${mark}`);
  if (isFragment && /^import [\s\S]*\.connect\(/m.test(code) && !/^declare /m.test(code))
    problems.push(`${at}: expected a program, got a fragment that imports and connects`);
  if (isCode && !isFragment && testOf(file) === undefined)
    problems.push(`${at}: expected a fragment, because no test runs the programs of this page`);
  const { problems: found, verdict = "failed" } =
    language === "ts" ? { problems: [] } : checkBlock({ language, code }, file);
  for (const problem of found) problems.push(`${at}: ${problem}`);
  if (!isCode) return `${language} ${verdict}`;
  return `${language} ${isFragment ? "compiled" : "run by tests"}`;
}

/** Type-checks the blocks of TypeScript. */
function checkTypes() {
  const folder = join(root, ".pack", "docs");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const programs = new Map();
  for (const { file, line, code } of blocks.filter(({ language }) => language === "ts")) {
    const first = pages.get(file).blocks.find((block) => block.language === "ts" && isModule(block.code));
    const isPart = !isModule(code) && first !== undefined;
    const before = isPart ? `${first.code}\n{\n` : "";
    const name = `${file.replaceAll(/[^\w]/g, "_")}_${line}.ts`;
    programs.set(name, { at: `${file}:${line}`, shift: before.split("\n").length - 1 });
    writeFileSync(join(folder, name), `${before}${code}\n${isPart ? "}\n" : ""}export {};\n`);
  }
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(compilerConfig()));
  const { stdout: output } = spawnSync(
    process.execPath,
    [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", folder, "--pretty", "false"],
    { cwd: folder, encoding: "utf8" },
  );
  for (const line of output.split("\n").filter((one) => one !== "")) {
    const [, name, row, , message] = /^(\S+?\.ts)\((\d+),(\d+)\): (.*)$/.exec(line) ?? [];
    const program = programs.get(name);
    if (program === undefined) problems.push(line);
    else {
      const [file, start] = program.at.split(":");
      problems.push(`${file}:${Number(start) + Number(row) - 1 - program.shift}: ${message}`);
    }
  }
}

function isModule(code) {
  return /^import /m.test(code);
}

function compilerConfig() {
  return {
    compilerOptions: {
      target: "ES2022",
      module: "NodeNext",
      moduleResolution: "NodeNext",
      customConditions: ["@postern/source"],
      allowImportingTsExtensions: true,
      types: ["node"],
      lib: ["ES2023", "DOM", "DOM.AsyncIterable", "ESNext.Disposable"],
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: true,
      noEmit: true,
    },
    include: ["*.ts"],
  };
}

/** The table of docs/errors.md has each code, its meaning in the source, and whether it is final. */
function checkErrors() {
  const file = "docs/errors.md";
  const { text: union } = declarationsOf(root, "packages/wire/src/error.ts").get("SshErrorCode");
  const meanings = new Map(
    [...union.matchAll(/^- `(\w+)`: ([\s\S]*?)(?=\n- |$(?![\s\S]))/gm)].map(([, code, text]) => [
      code,
      text.replaceAll(/\s+/g, " "),
    ]),
  );
  const type = readFileSync(join(root, "packages/wire/src/error.ts"), "utf8");
  for (const [, code] of /SshErrorCode =([^;]*);/.exec(type)[1].matchAll(/"(\w+)"/g))
    if (!meanings.has(code)) problems.push(`packages/wire/src/error.ts: expected a meaning of ${code}, got none`);
  const source = readFileSync(join(root, "packages/tunnel/src/reconnect.ts"), "utf8");
  const refusals = JSON.parse(/const refusals: readonly string\[\] = (\[.*\]);/.exec(source)[1]);
  const always = [.../return code === "(\w+)" \|\| code === "(\w+)" \|\| \(!hasLoggedIn/.exec(source)].slice(1);
  const rows = [...pages.get(file).text.matchAll(/^\| `(\w+)` \| (.*) \| (.*) \| (.*) \|$/gm)];
  for (const [, code, meaning, advice, final] of rows) {
    if (advice.trim() === "") problems.push(`${file}: ${code}: expected what to do, got nothing`);
    const expected = meanings.get(code);
    const isFinal = always.includes(code) ? "yes" : refusals.includes(code) ? "at first" : "no";
    if (expected === undefined) problems.push(`${file}: expected a code of SshErrorCode, got ${code}`);
    else if (!expected.startsWith(meaning)) problems.push(`${file}: ${code}: expected "${expected}", got "${meaning}"`);
    if (final !== isFinal) problems.push(`${file}: ${code}: expected final to be "${isFinal}", got "${final}"`);
    meanings.delete(code);
  }
  for (const code of meanings.keys()) problems.push(`${file}: expected a row for ${code}, got none`);
}

/** docs/README.md leads to each page of docs. Decisions and clauses have lists of their own. */
function checkListed() {
  const index = "docs/README.md";
  const listed = new Set(
    [...pages.get(index).text.matchAll(/\]\(([^)#]+)\)/g)].map(([, target]) => posix.join("docs", target)),
  );
  for (const file of files) {
    if (["docs/decisions", "docs/audit"].includes(dirname(file)) || !file.startsWith("docs/") || file === index)
      continue;
    if (!listed.has(file)) problems.push(`${index}: expected a link to ${file}, got none`);
  }
}
