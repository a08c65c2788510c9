/** Lists of algorithms: plain, or relative to the defaults with `+`, `-` and `^`. @module */
import { matchPattern } from "@postern/keys";
import { quote } from "@postern/wire";
import { type ConfigLine, configError } from "./config-line.ts";
import { word } from "./values.ts";

/** `=` replaces the defaults, `+` appends to them, `^` puts the names before them, `-` removes names. */
export interface SshConfigAlgorithms {
  readonly change: "=" | "+" | "-" | "^";
  /** names, or patterns with `*` and `?` */
  readonly names: readonly string[];
}

/** Parses a list. Names that we do not know are kept, because newer versions of OpenSSH know more. */
export function algorithmList(line: ConfigLine): SshConfigAlgorithms {
  const text = word(line);
  const [first = ""] = text;
  const change = first === "+" || first === "-" || first === "^" ? first : "=";
  const names = (change === "=" ? text : text.slice(1)).split(",");
  if (names.length > 200 || names.some((name) => name === "" || name.startsWith("!") || name.length > 255))
    throw configError(line, `expected ${line.keyword} to be names separated by commas, got ${quote(text, 80)}`);
  return { change, names };
}

/**
 * Returns the names that a list selects, best first: as OpenSSH, relative to `defaults`, and only those in `supported`,
 * without duplicates.
 */
export function selectAlgorithms(
  list: SshConfigAlgorithms,
  defaults: readonly string[],
  supported: readonly string[],
): readonly string[] {
  const { change, names } = list;
  if (change === "-") return defaults.filter((one) => !names.some((name) => matchPattern(one, name)));
  const wanted = { "=": names, "+": [...defaults, ...names], "^": [...names, ...defaults] }[change];
  return [...new Set(wanted.flatMap((name) => supported.filter((one) => matchPattern(one, name))))];
}
