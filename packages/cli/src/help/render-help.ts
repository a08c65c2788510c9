/** Renders the help of commands as plain text for a terminal. @module */
import type { CommandHelp, Example } from "./command-help.ts";
import { optionLabel, usageOf } from "./labels.ts";
import { wrap } from "./wrap.ts";

/** How help is rendered. */
export interface HelpLayout {
  /** columns of the terminal */
  readonly width: number;
  /** whether headings are bold, which needs a terminal */
  readonly bold: boolean;
}

/** Renders the help of one command. Examples come last, because the end of a long text stays on the screen. */
export function renderHelp(help: CommandHelp, layout: HelpLayout): string {
  return join([usage(usageOf(help), layout), ...body(help, layout)]);
}

/** Renders the help of the whole program: all commands, and the command without a name, which connects. */
export function renderOverview(all: readonly CommandHelp[], layout: HelpLayout): string {
  const connect = all.find(({ name }) => name === "");
  const named = all.filter(({ name }) => name !== "");
  const lines = [...(connect === undefined ? [] : usageOf(connect)), "postern <command> [options]"];
  const more = "postern help <command> describes a command and its options. To connect to a host with the name of a";
  return join([
    usage(lines, layout),
    section(
      "Commands",
      table(
        named.map(({ name, summary }) => [name, summary]),
        layout,
      ),
      layout,
    ),
    wrap(`${more} command: postern -- <host>`, textWidth(layout)),
    ...(connect === undefined ? [] : body(connect, layout)),
  ]);
}

function body({ description, options, sections = [], examples }: CommandHelp, layout: HelpLayout): string[] {
  const rows = options.map((option): [string, string] => [optionLabel(option), plain(option.text)]);
  return [
    ...description.map((text) => wrap(plain(text), textWidth(layout))),
    ...(rows.length === 0 ? [] : [section("Options", table(rows, layout), layout)]),
    ...sections.map(({ title, paragraphs }) => section(sentenceCase(title), indented(paragraphs, layout), layout)),
    ...(examples.length === 0
      ? []
      : [section("Examples", examples.map((one) => example(one, layout)).join("\n"), layout)]),
  ];
}

/** A long form goes on below its first word. */
function usage(lines: readonly string[], layout: HelpLayout): string {
  const forms = lines.map((line) => wrap(line, textWidth(layout), " ".repeat(9)).trimStart());
  return forms.map((form, at) => `${at === 0 ? heading("Usage:", layout.bold) : "      "} ${form}`).join("\n");
}

function section(title: string, content: string, { bold }: HelpLayout): string {
  return `${heading(`${title}:`, bold)}\n${content}`;
}

function example({ text, command }: Example, layout: HelpLayout): string {
  // The command stays in one line, so that it can be copied.
  return `${wrap(plain(text), textWidth(layout) - 4, "  # ")}\n  ${command}`;
}

function indented(paragraphs: readonly string[], layout: HelpLayout): string {
  return paragraphs.map((text) => wrap(plain(text), textWidth(layout), "  ")).join("\n\n");
}

/** Renders two columns. A label that is too long has a line of its own. */
function table(rows: readonly (readonly [string, string])[], layout: HelpLayout): string {
  const longest = Math.max(0, ...rows.map(([label]) => label.length).filter((length) => length <= maxLabel(layout)));
  const margin = " ".repeat(longest + 4);
  return rows
    .map(([label, text]) => {
      const lines = wrap(text, textWidth(layout), margin);
      return label.length > longest ? `  ${label}\n${lines}` : `  ${label.padEnd(longest)}  ${lines.trimStart()}`;
    })
    .join("\n");
}

function maxLabel(layout: HelpLayout): number {
  return Math.floor(textWidth(layout) / 3);
}

/** Long lines are hard to read, and in a very narrow terminal no layout helps. */
function textWidth({ width }: HelpLayout): number {
  return Math.max(40, Math.min(width, 100));
}

/** Removes the marks of code, which the documentation shows in another font. */
function plain(text: string): string {
  return text.replaceAll(/`([^`]+)`/g, "$1");
}

function heading(text: string, bold: boolean): string {
  return bold ? `\u001b[1m${text}\u001b[22m` : text;
}

function sentenceCase(title: string): string {
  const lower = title.toLowerCase() === title || title.toUpperCase() === title ? title.toLowerCase() : title;
  return lower.charAt(0).toUpperCase() + lower.slice(1);
}

function join(parts: readonly string[]): string {
  return `${parts.join("\n\n")}\n`;
}
