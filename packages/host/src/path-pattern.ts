/** Paths of UNIX sockets, and patterns of them. @module */
import { matchPattern } from "@postern/keys";
import { describeType, SshError, sanitizeText } from "@postern/wire";

/** Bytes of `sun_path` in the smallest of the systems, without its NUL: unix(7), unix(4). */
const longestPath = 103;

/**
 * Whether a path is absolute, short enough for a socket, printable, and names one place only: no empty part, `.` or
 * `..`.
 */
export function isPlainPath(path: string): boolean {
  const [root, ...parts] = path.split("/");
  const isShort = new TextEncoder().encode(path).length <= longestPath;
  return (
    root === "" && isShort && sanitizeText(path) === path && parts.every((part) => !["", ".", ".."].includes(part))
  );
}

/**
 * Compiles a pattern such as `/run/tunnels/*`: `*` and `?` match within one part of the path, and `**` as the last part
 * matches one part or more.
 *
 * @throws SshError `misuse` unless the pattern is a plain path itself
 */
export function pathMatcher(pattern: string): (path: string) => boolean {
  if (typeof pattern !== "string" || !isPlainPath(pattern)) {
    const got = typeof pattern === "string" ? `"${sanitizeText(pattern)}"` : describeType(pattern);
    throw new SshError("misuse", `expected a pattern of an absolute path without "." and "..", got ${got}`);
  }
  const patterns = pattern.split("/");
  return (path) => {
    const parts = path.split("/");
    const isDeep = patterns.at(-1) === "**" && parts.length >= patterns.length;
    const isInside = isPlainPath(path) && (isDeep || parts.length === patterns.length);
    return isInside && patterns.every((part, index) => matchPattern(parts[index] ?? "", part));
  };
}
