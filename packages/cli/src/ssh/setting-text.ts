/** Writes values of options as lines of ssh_config(5). @module */
import type { SshConfigForwardLine, SshConfigListen } from "@postern/node";
import { UsageError } from "../help/usage-error.ts";

/** `^X` is a control character. */
export function escapeCharacter(text: string): string {
  if (text === "none" || /^[\0-\x7f]$/.test(text)) return text;
  const [, letter] = /^\^([@-\x7f])$/.exec(text) ?? [];
  if (letter === undefined) throw new UsageError("", `Bad escape character '${text}'.`);
  return String.fromCharCode(letter.charCodeAt(0) & 31);
}

/** Listener and target as two arguments of a keyword. */
export function forwardArguments({ listen, target }: SshConfigForwardLine): string {
  const text = listenText(listen);
  if (target === "socks") return quoted(text);
  return `${quoted(text)} ${quoted(listenText(target))}`;
}

function listenText(address: SshConfigListen): string {
  if ("path" in address) return field(address.path);
  return address.host === undefined ? String(address.port) : `${field(address.host)}:${address.port}`;
}

/** A field of a forwarding. Brackets or backslashes keep its colons from separating. */
function field(text: string): string {
  if (!/[:\\[]/.test(text)) return text;
  return text.includes("]") ? text.replace(/[:\\[]/g, "\\$&") : `[${text}]`;
}

/** A value as one argument of a line, in quotes if it needs them. */
export function quoted(value: string): string {
  return /^[\w@%+=:,./~^${}*[\]-]+$/.test(value) && !value.startsWith("=")
    ? value
    : `"${value.replace(/["\\]/g, "\\$&")}"`;
}
