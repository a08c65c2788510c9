/**
 * Copies the Markdown files of the repository to the folder that VitePress reads. Links are resolved as on a disk. A
 * link to a source file leads to a page that shows the file, so the site needs no other server.
 * @module
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, extname, join, posix } from "node:path";
import { aliases, explorer, pageOf, sources } from "./contents.mjs";

/** Outside code: `[text](target)` and `![text](target)`. */
const link = /(!?\[(?:[^\]\\]|\\.)*\])\(([^)\s]+)\)/g;

const languages = { ".mjs": "js", ".ts": "ts", ".json": "json", ".toml": "toml", ".html": "html" };

/** Writes all pages. Returns the source of each page by its path within the site. @throws Error for a broken link */
export function writePages(root, out) {
  const pages = new Map(
    sources
      .flatMap((source) => filesOf(root, source))
      .filter((file) => !(file in aliases))
      .map((file) => [file, pageOf(file)]),
  );
  const shown = new Map();
  const broken = [];
  for (const [source, page] of pages) {
    const text = readFileSync(join(root, source), "utf8");
    write(
      out,
      page,
      outsideCode(source === explorer.page ? withExplorer(text) : text, (part) =>
        part.replaceAll(link, (whole, label, target) => {
          if (/^([a-z]+:|#)/.test(target)) return whole;
          const [path, anchor = ""] = target.split(/(?=#)/);
          const file = posix.join(posix.dirname(source), path).replace(/\/$/, "");
          const to = pages.get(file) ?? aliases[file] ?? pages.get(`${file}/README.md`) ?? fileOf(file);
          if (to === undefined) {
            broken.push(`${source}: ${target}`);
            return whole;
          }
          const relative = posix.relative(posix.dirname(page), to);
          return `${label}(${relative.startsWith(".") ? relative : `./${relative}`}${anchor})`;
        }),
      ),
    );
  }
  if (broken.length > 0) throw new Error(`expected links to existing files, got ${broken.join(", ")}`);
  return new Map([...pages].map(([source, page]) => [page, source]));

  /** Copies an image, or makes a page of a source file or of the files in a folder. Returns its path. */
  function fileOf(file) {
    if (!existsSync(join(root, file))) return undefined;
    const known = shown.get(file);
    if (known !== undefined) return known;
    const isImage = extname(file) === ".svg";
    // VitePress ignores names that begin with a dot.
    const page = isImage ? file.replace(/^docs\//, "") : `source/${file.replaceAll(/(^|\/)\./g, "$1")}.md`;
    shown.set(file, page);
    if (isImage) write(out, page, readFileSync(join(root, file)));
    else write(out, page, sourcePage(file));
    return page;
  }

  function sourcePage(file) {
    if (statSync(join(root, file)).isDirectory()) {
      const names = readdirSync(join(root, file)).filter((name) => !["node_modules", "dist"].includes(name));
      return `# ${file}\n\nThe folder \`${file}\` of the repository has these files:\n\n${names.map((name) => `- \`${name}\``).join("\n")}\n`;
    }
    const text = readFileSync(join(root, file), "utf8");
    return `# ${file}\n\nThe file \`${file}\` of the repository:\n\n\`\`\`\`${languages[extname(file)] ?? "txt"}\n${text.trimEnd()}\n\`\`\`\`\n`;
  }
}

/** Puts the explorer into its page, and leaves out the outline, so that there is room. */
function withExplorer(text) {
  if (!text.includes(explorer.comment)) throw new Error(`${explorer.page}: expected ${explorer.comment}, got none`);
  const frontmatter = "---\naside: false\npageClass: has-explorer\n---\n\n";
  return `${frontmatter}${text.replace(explorer.comment, "<ProtocolExplorer />")}`;
}

/** Calls `change` with the text between fenced code blocks. */
function outsideCode(text, change) {
  return text
    .split(/^(```[\s\S]*?^```$)/m)
    .map((part) => (part.startsWith("```") ? part : change(part)))
    .join("");
}

/** Returns the first heading of a page, without marks. */
export function titleOf(text) {
  return (/^# (.*)$/m.exec(text)?.[1] ?? "").replaceAll("`", "");
}

function filesOf(root, source) {
  if (source.endsWith(".md")) return [source];
  return readdirSync(join(root, source), { recursive: true })
    .map((name) => posix.join(source, name.replaceAll("\\", "/")))
    .filter((name) => name.endsWith(".md") && !/(^|\/)(node_modules|dist)\//.test(name))
    .sort();
}

function write(out, path, content) {
  const file = join(out, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}
