/** Errors of the system in the words of the C library, as ssh prints them. @module */
import { getSystemErrorMap } from "node:util";

/** Texts of strerror(3) and gai_strerror(3) of the GNU C library that differ from those of libuv. */
const texts: Readonly<Record<string, string>> = {
  EACCES: "Permission denied",
  EADDRINUSE: "Address already in use",
  EADDRNOTAVAIL: "Cannot assign requested address",
  EAI_AGAIN: "Temporary failure in name resolution",
  ECONNREFUSED: "Connection refused",
  ECONNRESET: "Connection reset by peer",
  EEXIST: "File exists",
  EHOSTUNREACH: "No route to host",
  EINVAL: "Invalid argument",
  EISDIR: "Is a directory",
  ENETUNREACH: "Network is unreachable",
  ENOENT: "No such file or directory",
  ENOSPC: "No space left on device",
  ENOTDIR: "Not a directory",
  ENOTFOUND: "Name or service not known",
  EPERM: "Operation not permitted",
  EPIPE: "Broken pipe",
  ETIMEDOUT: "Connection timed out",
};

/** Returns the text of an error of the system, or the message of any other one. */
export function describeSystemError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined) return error.message;
  const known = texts[code];
  if (known !== undefined) return known;
  for (const [name, text] of getSystemErrorMap().values())
    if (name === code) return text.charAt(0).toUpperCase() + text.slice(1);
  return error.message;
}
