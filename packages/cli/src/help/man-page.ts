/** Renders the man page `postern(1)` in roff, with the macros of man(7). @module */
import type { CommandHelp, OptionHelp } from "./command-help.ts";
import { namesOf, usageOf } from "./labels.ts";
import { wrap } from "./wrap.ts";

/** The purpose of the program, in one line. */
export const programSummary = "reverse tunnels that reconnect by themselves, and a host for them";

/** The title line of the page. */
export interface ManPageTitle {
  readonly version: string;
  /** the date of the version, such as `2026-11-27` */
  readonly date: string;
  readonly summary: string;
}

/** Renders one page for all commands. The command without a name, which connects, comes first. */
export function renderManPage(all: readonly CommandHelp[], { version, date, summary }: ManPageTitle): string {
  const connect = all.find(({ name }) => name === "");
  const named = all.filter(({ name }) => name !== "");
  const blocks = [
    `.TH POSTERN 1 ${date} "Postern ${version}" "User Commands"`,
    // No hyphenation and no justified lines, because both damage command lines.
    ".nh\n.ad l",
    `.SH NAME\n${text(`postern - ${summary}`)}`,
    ".SH SYNOPSIS",
    ...all.flatMap(usageOf).map((form, at) => `${at === 0 ? "" : ".br\n"}${synopsis(form)}`),
    ...(connect === undefined ? [] : describe(connect, ".SH DESCRIPTION", ".SH")),
    ".SH COMMANDS",
    ...named.flatMap((help) => describe(help, `.SS ${quote(`postern ${help.name}`)}`, ".PP\n.B")),
    `.SH "SEE ALSO"\n.BR ssh (1),\n.BR ssh_config (5),\n.BR sshd_config (5)`,
  ];
  return `${blocks.join("\n")}\n`;
}

/** Renders the parts of one command. `inner` begins the headings within it. */
function describe(help: CommandHelp, heading: string, inner: string): string[] {
  const { name, summary, description, options, sections = [], examples } = help;
  const [first = "", ...more] = description;
  const opening = name === "" || first === "" ? first : `${sentence(summary)} ${first}`;
  // A section begins a paragraph by itself.
  const under = (words: string, at: number): string => (at === 0 && inner === ".SH" ? text(words) : paragraph(words));
  const title = (word: string): string => `${inner} ${quote(inner === ".SH" ? word.toUpperCase() : word)}`;
  return [
    `${heading}\n${text(opening === "" ? sentence(summary) : opening)}`,
    ...more.map(paragraph),
    ...(options.length === 0 ? [] : [inner === ".SH" ? ".SH OPTIONS" : ""]),
    ...options.map(option),
    ...sections.flatMap(({ title: word, paragraphs }) => [title(word), ...paragraphs.map(under)]),
    ...(examples.length === 0 ? [] : [title("Examples")]),
    ...examples.map((one, at) => `${under(one.text, at)}\n.RS 4\n.EX\n${line(one.command)}\n.EE\n.RE`),
  ].filter((block) => block !== "");
}

function option(one: OptionHelp): string {
  const names = namesOf(one).map((name) => `\\fB${escaped(name)}\\fR`);
  const argument = one.argument === undefined ? "" : ` \\fI${escaped(one.argument)}\\fR`;
  return `.TP\n${names.join(", ")}${argument}\n${text(one.text)}`;
}

/** The name in bold; what the user replaces, such as `<file>`, in italics. */
function synopsis(form: string): string {
  const [, name = "", rest = ""] = /^(\S+)(.*)$/.exec(form) ?? [];
  const replaced = escaped(rest).replaceAll(/<([^>]+)>/g, "\\fI$1\\fR");
  return `\\fB${escaped(name)}\\fR${replaced}`;
}

function paragraph(words: string): string {
  return `.PP\n${text(words)}`;
}

/** Breaks text into short input lines. roff reads none of them as a request. */
function text(words: string): string {
  return wrap(marked(words), 78).split("\n").map(literal).join("\n");
}

function line(words: string): string {
  return literal(escaped(words));
}

/** A line that begins with a dot or an apostrophe would be a request. */
function literal(input: string): string {
  return input.replace(/^(?=[.'])/, "\\&");
}

/** Words in backticks are bold. */
function marked(words: string): string {
  return words
    .split(/`([^`]+)`/)
    .map((part, at) => (at % 2 === 0 ? escaped(part) : `\\fB${escaped(part)}\\fR`))
    .join("");
}

/** Escapes what groff_man(7) would print as other characters. */
function escaped(words: string): string {
  return words
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("'", "\\(aq")
    .replaceAll("`", "\\(ga")
    .replaceAll("^", "\\(ha")
    .replaceAll("~", "\\(ti")
    .replaceAll(/[^\0-\x7f]/gu, (character) => {
      const code = character.codePointAt(0) ?? 0;
      return `\\[u${code.toString(16).toUpperCase().padStart(4, "0")}]`;
    });
}

function quote(word: string): string {
  return `"${escaped(word).replaceAll('"', "\\(dq")}"`;
}

function sentence(summary: string): string {
  return `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
}
