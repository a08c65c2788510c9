/** The completion script of fish. @module */
import type { CommandHelp, Completes, OptionHelp } from "../help/command-help.ts";
import { hostNames } from "./host-names.ts";
import { choices, commandNames, firstSentence } from "./words.ts";

/** Renders the script. */
export function renderFish(all: readonly CommandHelp[]): string {
  const named = all.filter(({ name }) => name !== "");
  const lines = all.flatMap((help) => commandLines(help, all));
  return `# Completes postern in fish: postern completion fish > ~/.config/fish/completions/postern.fish

function __postern_hosts
    set -l login (string match -r '^.*@' -- (commandline -ct))
    awk ${quoted(hostNames)} | string replace -r '^' "$login"
end

# Whether the command line has this command; without one, it connects.
function __postern_has
    set -l words (commandline -opc)
    if not contains -- "$words[2]" ${commandNames(all).join(" ")}
        test -z "$argv[1]"
        return
    end
    test "$words[2]" = "$argv[1]"
end

function __postern_first
    test (count (commandline -opc)) -eq 1
end

complete -c postern -f
${named.map(({ name, summary }) => `complete -c postern -n __postern_first -a ${name} -d ${quoted(summary)}`).join("\n")}
${lines.join("\n")}
`;
}

/** Every command has this one. */
const helpOption: OptionHelp = { long: "help", text: "prints help" };

function commandLines({ name, options, completes = [] }: CommandHelp, all: readonly CommandHelp[]): string[] {
  const base = `complete -c postern -n ${quoted(`__postern_has "${name}"`)}`;
  return [
    ...options
      .concat(helpOption)
      .map((one) => `${base}${flags(one)}${argument(one, all)} -d ${quoted(firstSentence(one.text))}`),
    // fish does not count the words that are no options. The first choice is the one that matters.
    ...completes.slice(0, 1).map((one) => `${base}${offer(one, all)}`),
  ];
}

function flags({ short, long }: OptionHelp): string {
  return `${short === undefined ? "" : ` -s ${short}`}${long === undefined ? "" : ` -l ${long}`}`;
}

function argument(option: OptionHelp, all: readonly CommandHelp[]): string {
  if (option.argument === undefined) return "";
  if (option.completes === undefined) return " -x";
  // -r requires an argument, -x also offers no files.
  return `${option.completes === "file" || option.completes === "folder" ? " -r" : " -x"}${offer(option.completes, all)}`;
}

function offer(completes: Completes, all: readonly CommandHelp[]): string {
  const words = choices(completes, all);
  if (words !== undefined) return ` -a ${quoted(words.join(" "))}`;
  if (completes === "host") return " -a '(__postern_hosts)'";
  return completes === "folder" ? " -a '(__fish_complete_directories)'" : " -F";
}

/** Puts a text in single quotes, in which fish has two escapes. */
function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
