/** The completion script of bash, from version 3.2 on, which macOS has. @module */
import type { CommandHelp, Completes } from "../help/command-help.ts";
import { namesOf } from "../help/labels.ts";
import { hostNames } from "./host-names.ts";
import { choices, commandNames, quoted } from "./words.ts";

/** Renders the script. */
export function renderBash(all: readonly CommandHelp[]): string {
  const offer = (completes: Completes | undefined): string => {
    if (completes === undefined) return "none";
    const words = choices(completes, all);
    return words === undefined ? String(completes) : `words ${words.join(" ")}`;
  };
  const named = commandNames(all);
  const options = all.map(
    ({ name, options: own }) =>
      `    ${pattern(name)}) REPLY=${quoted(own.concat(helpOption).flatMap(namesOf).join(" "))} ;;`,
  );
  const args = all.flatMap(({ name, options: own }) =>
    own
      .filter(({ argument }) => argument !== undefined)
      .map(
        (one) =>
          `    ${namesOf(one)
            .map((flag) => quoted(`${name} ${flag}`))
            .join("|")}) REPLY=${quoted(offer(one.completes))} ;;`,
      ),
  );
  const places = all.flatMap(({ name, completes = [] }) =>
    completes.map((one, at) => {
      const isLast = at === completes.length - 1;
      return `    ${quoted(`${name} ${at}`)}${isLast ? `|${quoted(`${name} `)}*` : ""}) REPLY=${quoted(offer(one))} ;;`;
    }),
  );
  return `# Completes postern in bash. In ~/.bashrc: eval "$(postern completion bash)"

_postern_hosts() {
  awk ${quoted(hostNames)}
}

# Sets REPLY to the options of a command.
_postern_options() {
  case $1 in
${options.join("\n")}
    *) REPLY= ;;
  esac
}

# Sets REPLY to what follows an option. It is empty for a switch.
_postern_argument() {
  case $1 in
${args.join("\n")}
    *) REPLY= ;;
  esac
}

# Sets REPLY to what is offered for a word that is no option, by the command and the number of such words before it.
_postern_place() {
  case $1 in
${places.join("\n")}
    *) REPLY=none ;;
  esac
}

_postern_add() {
  local word
  while IFS= read -r word; do
    if [[ $word == "$cur"* ]]; then COMPREPLY+=("$prefix$word"); fi
  done
}

_postern_offer() {
  local words
  case $1 in
    file | folder)
      compopt -o filenames 2>/dev/null
      if [[ $1 == file ]]; then words=$(compgen -f -- "$cur"); else words=$(compgen -d -- "$cur"); fi
      ;;
    host)
      # Without @ among the characters that break words, the login is a part of the word.
      if [[ $cur == *@* ]]; then prefix=\${cur%@*}@ cur=\${cur##*@}; fi
      words=$(_postern_hosts)
      ;;
    words\\ *)
      read -ra words <<<"\${1#words }"
      words=$(printf '%s\\n' "\${words[@]}")
      ;;
    *) return ;;
  esac
  if [[ -n $words ]]; then _postern_add <<<"$words"; fi
}

_postern() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prefix= command= place=0 pending= ended= first= word i REPLY
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    # bash breaks words at = and @.
    if [[ $word == = && -n $pending ]]; then continue; fi
    if [[ $word == @ ]]; then ((place > 0)) && ((place--)); continue; fi
    if [[ -n $pending ]]; then pending=; continue; fi
    if [[ -z $ended && $word == -- ]]; then ended=1; continue; fi
    if [[ -z $ended && $word == -?* ]]; then
      _postern_argument "$command $word"
      pending=$REPLY
      continue
    fi
    if [[ $i == 1 && " ${named.join(" ")} " == *" $word "* ]]; then command=$word; continue; fi
    ((place++))
  done
  if [[ $cur == = || $cur == @ ]]; then cur=; fi
  if [[ -n $pending ]]; then
    _postern_offer "$pending"
  elif [[ -z $ended && $cur == -* ]]; then
    _postern_options "$command"
    _postern_offer "words $REPLY"
  else
    _postern_place "$command $place"
    first=$REPLY
    if [[ $COMP_CWORD == 1 ]]; then _postern_offer ${quoted(`words ${named.join(" ")}`)}; fi
    _postern_offer "$first"
  fi
}

complete -F _postern postern
`;
}

/** Every command has this one. */
const helpOption = { long: "help", text: "" };

function pattern(name: string): string {
  return name === "" ? "''" : name;
}
