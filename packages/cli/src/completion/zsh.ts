/** The completion script of zsh. @module */
import type { CommandHelp, Completes, OptionHelp } from "../help/command-help.ts";
import { namesOf } from "../help/labels.ts";
import { hostNames } from "./host-names.ts";
import { choices, firstSentence, quoted } from "./words.ts";

/** Renders the script, which may be sourced, or be a file `_postern` in a folder of `fpath`. */
export function renderZsh(all: readonly CommandHelp[]): string {
  const named = all.filter(({ name }) => name !== "");
  const connect = all.find(({ name }) => name === "");
  const cases = named.map((help) => `      ${help.name})\n${specs(help, all, "        ")}\n        ;;`);
  const first = connect?.completes?.[0] === "host" ? "_postern_first" : "_postern_commands";
  const options = (connect?.options ?? []).concat(helpOption).map((one) => optionSpec(one, all));
  return `#compdef postern
# Completes postern in zsh. In ~/.zshrc, after compinit: source <(postern completion zsh)

_postern_hosts() {
  local -a hosts
  hosts=(\${(f)"$(awk ${quoted(hostNames)})"})
  compset -P '*@'
  _wanted hosts expl host compadd -a hosts
}

_postern_commands() {
  local -a commands
  commands=(
${named.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`).join("\n")}
  )
  _describe -t commands command commands
}

_postern_first() {
  local result=1
  # Commands are offered for the first word only.
  if (( \${#_postern_words} == 2 )); then _postern_commands && result=0; fi
  _postern_hosts && result=0
  return result
}

_postern() {
  local curcontext="$curcontext" state line expl command=$words[2]
  local -a _postern_words
  typeset -A opt_args
  _postern_words=("\${(@)words}")
  if (( CURRENT > 2 )); then
    case $command in
      ${named.map(({ name }) => name).join(" | ")})
        shift words
        (( CURRENT-- ))
        ;;
      *) command= ;;
    esac
    case $command in
${cases.join("\n")}
    esac
    [[ -n $command ]] && return
  fi
  _arguments -s -S : \\
${[...options, quoted(`1:destination:${first}`)].map((one) => `    ${one}`).join(" \\\n")}
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _postern "$@"; else compdef _postern postern; fi
`;
}

/** Every command has this one. */
const helpOption: OptionHelp = { long: "help", text: "prints help" };

function specs(help: CommandHelp, all: readonly CommandHelp[], margin: string): string {
  const { options, completes = [] } = help;
  const places = completes.map((one, at) =>
    quoted(`${at === completes.length - 1 && at > 0 ? "*" : at + 1}:${label(one)}:${action(one, all)}`),
  );
  const lines = [...options.concat(helpOption).map((one) => optionSpec(one, all)), ...places];
  return `${margin}_arguments -s -S : \\\n${lines.map((line) => `${margin}  ${line}`).join(" \\\n")}`;
}

/** One specification for each name. Names of one option exclude each other, unless it repeats. */
function optionSpec(option: OptionHelp, all: readonly CommandHelp[]): string {
  const names = namesOf(option);
  const guard = option.repeats === true ? "*" : names.length > 1 ? `(${names.join(" ")})` : "";
  const argument =
    option.argument === undefined
      ? ""
      : `:${plain(option.argument)}:${option.completes === undefined ? "" : action(option.completes, all)}`;
  return names
    .map((name) => {
      // -p 22 or -p22; --config file or --config=file.
      const attached = option.argument === undefined ? "" : name.startsWith("--") ? "=" : "+";
      return quoted(`${guard}${name}${attached}[${plain(firstSentence(option.text))}]${argument}`);
    })
    .join(" ");
}

function action(completes: Completes, all: readonly CommandHelp[]): string {
  const words = choices(completes, all);
  if (words !== undefined) return `(${words.join(" ")})`;
  return completes === "host" ? "_postern_hosts" : completes === "folder" ? "_files -/" : "_files";
}

function label(completes: Completes): string {
  return typeof completes === "string" ? completes : "choice";
}

/** Escapes what separates the parts of a specification. */
function plain(text: string): string {
  return text.replaceAll(/[\\[\]:]/g, "\\$&");
}
