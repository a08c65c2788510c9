/** Reads the modes of a terminal as stty prints them. @module */
import { type TerminalMode, terminalModes } from "@postern/ssh";
import type { Bytes } from "@postern/wire";

/** Characters, in the order of OpenSSH's ttymodes.h: the name that stty has for them. BSD has other names for some. */
const characters: readonly (readonly [TerminalMode, ...(readonly string[])])[] = [
  ["VINTR", "intr"],
  ["VQUIT", "quit"],
  ["VERASE", "erase"],
  ["VKILL", "kill"],
  ["VEOF", "eof"],
  ["VEOL", "eol"],
  ["VEOL2", "eol2"],
  ["VSTART", "start"],
  ["VSTOP", "stop"],
  ["VSUSP", "susp"],
  ["VDSUSP", "dsusp"],
  ["VREPRINT", "rprnt", "reprint"],
  ["VWERASE", "werase"],
  ["VLNEXT", "lnext"],
  ["VFLUSH", "flush"],
  ["VSWTCH", "swtch", "swtc"],
  ["VSTATUS", "status"],
  ["VDISCARD", "discard"],
];

/** Flags, in the order of OpenSSH's ttymodes.h. stty has the same names in lower case. */
const flags: readonly TerminalMode[] = [
  "IGNPAR",
  "PARMRK",
  "INPCK",
  "ISTRIP",
  "INLCR",
  "IGNCR",
  "ICRNL",
  "IUCLC",
  "IXON",
  "IXANY",
  "IXOFF",
  "IMAXBEL",
  "IUTF8",
  "ISIG",
  "ICANON",
  "XCASE",
  "ECHO",
  "ECHOE",
  "ECHOK",
  "ECHONL",
  "NOFLSH",
  "TOSTOP",
  "IEXTEN",
  "ECHOCTL",
  "ECHOKE",
  "PENDIN",
  "OPOST",
  "OLCUC",
  "ONLCR",
  "OCRNL",
  "ONOCR",
  "ONLRET",
  "CS7",
  "CS8",
  "PARENB",
  "PARODD",
];

/**
 * Encodes the modes that `stty -a` printed, as ssh sends them (RFC 4254 section 8): speeds, characters and flags, in
 * ssh's order. Modes that stty does not know are left out.
 */
export function encodeSttyModes(text: string): Bytes {
  const modes: Partial<Record<TerminalMode, number>> = {};
  const both = /\bspeed (\d+) baud/.exec(text)?.[1];
  const output = /\bospeed (\d+) baud/.exec(text)?.[1] ?? both;
  const input = /\bispeed (\d+) baud/.exec(text)?.[1] ?? both;
  if (output !== undefined) modes.TTY_OP_OSPEED = Number(output);
  if (input !== undefined) modes.TTY_OP_ISPEED = Number(input);
  const values = new Map<string, string>();
  const rest = text.replace(
    /\b([a-z\d]+) = (<undef>|M-\^?.|\^.|.[^;]*)(?=;|\s|$)/gs,
    (_all, name: string, value: string) => {
      values.set(name, value);
      return "";
    },
  );
  for (const [mode, ...names] of characters) {
    const value = names.map((name) => values.get(name)).find((one) => one !== undefined);
    const code = value === undefined ? undefined : characterCode(value);
    if (code !== undefined) modes[mode] = code;
  }
  const words = new Set(rest.split(/[\s;]+/));
  for (const mode of flags) {
    const name = mode.toLowerCase();
    if (words.has(name)) modes[mode] = 1;
    else if (words.has(`-${name}`)) modes[mode] = 0;
    // A character size has no negation.
    else if (/^CS\d$/.test(mode) && /\bcs\d\b/.test(rest)) modes[mode] = 0;
  }
  return terminalModes(modes);
}

/** `^C`, `^?`, `M-^C`, `<undef>`, or the character itself. 255 means none (RFC 4254 section 8). */
function characterCode(text: string): number | undefined {
  if (text === "<undef>" || text === "undef" || text === "^-") return 255;
  const [, meta = "", control = "", char] = /^(M-)?(\^)?(.)$/s.exec(text) ?? [];
  if (char === undefined) return undefined;
  const code = char.charCodeAt(0);
  return (meta === "" ? 0 : 128) + (control === "" ? code : char === "?" ? 127 : code & 31);
}
