/** Renders docs/command-options.md and the man page from the descriptions of the commands. @module */
import { loadCommandHelp } from "./command-help.mjs";

/** Returns the text of each file. */
export async function commandPages() {
  const { descriptions, renderManPage, programSummary, releaseDate, releaseVersion, usageOf, optionLabel } =
    await loadCommandHelp();
  const all = descriptions();
  const title = { version: releaseVersion, date: releaseDate, summary: programSummary };
  return {
    "docs/command-options.md": `${[opening, ...all.map(section)].join("\n\n")}\n`,
    "packages/cli/man/postern.1": renderManPage(all, title),
  };

  function section(help) {
    const { name, description, options, sections = [], examples } = help;
    const rows = options.map((one) => `| ${code(optionLabel(one))} | ${cell(one.text)} |`);
    return [
      `## ${`postern ${name}`.trim()}`,
      ["```text", ...usageOf(help), "```"].join("\n"),
      ...description.map(prose),
      ...(rows.length === 0 ? [] : [["| option | meaning |", "| --- | --- |", ...rows].join("\n")]),
      ...sections.flatMap((one) => [`### ${heading(one.title, name)}`, ...one.paragraphs.map(prose)]),
      ...examples.flatMap((one) => [prose(one.text), ["```sh", one.command, "```"].join("\n")]),
    ].join("\n\n");
  }
}

const opening = `# All options of the command

Every command of \`postern\` with its options. \`postern help <command>\` and \`man postern\` have the same texts.`;

/** Titles of parts are unique within the page, so that links to them work. */
function heading(title, name) {
  const lower = title.toLowerCase();
  return name === ""
    ? `${lower.charAt(0).toUpperCase()}${lower.slice(1)}`
    : `${lower.charAt(0).toUpperCase()}${lower.slice(1)} of ${name}`;
}

function prose(text) {
  return breakLines(escaped(text));
}

function cell(text) {
  return escaped(text).replaceAll("|", "\\|");
}

function code(text) {
  return `\`${text.replaceAll("|", "\\|")}\``;
}

/** Escapes what Markdown or HTML would read as markup, except in code. */
function escaped(text) {
  return text
    .split(/(`[^`]+`)/)
    .map((part, at) => (at % 2 === 0 ? part.replaceAll(/[<*_`[\]]/g, "\\$&") : part))
    .join("");
}

/** Breaks a paragraph into lines of 120 characters, as in the other pages. */
function breakLines(text) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== "" && last.length + 1 + word.length > 120) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines.join("\n");
}
