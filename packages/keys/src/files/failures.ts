/** The three errors of key files: wrong passphrase, damaged file, unsupported format. @module */
import { type Bytes, SshError } from "@postern/wire";
import { isName } from "../public-key.ts";

/** Returns the passphrase in UTF-8. Throws SshError `passphrase` if there is none. `how` describes the encryption. */
export type AskPassphrase = (how: string) => Promise<Bytes>;

/** An integrity check failed. A damaged file can look the same, except for formats whose lengths are wrong, too. */
export function wrongPassphrase(): SshError {
  return new SshError("passphrase", "expected the passphrase of the private key, got a wrong one, or a damaged file");
}

export function damaged(format: string): SshError {
  return new SshError("key", `expected a private key (${format}), got a damaged or truncated file`);
}

/** @param convert a command that converts the file */
export function unsupported(what: string, convert?: string): SshError {
  const advice = convert === undefined ? "" : `; convert a copy with: ${convert}`;
  return new SshError("unsupported", `expected a private key in a supported format, got ${what}${advice}`);
}

/** Returns a name from a file if it is one, because other text might be anything. */
export function nameOr(text: string, otherwise: string): string {
  return isName(text) ? text : otherwise;
}

/**
 * Calls `parse` and replaces errors of readers and decoders, whose messages contain lengths that could be secret bytes.
 * @throws SshError `key`
 */
export async function parsing<T>(format: string, parse: () => T | Promise<T>): Promise<T> {
  try {
    return await parse();
  } catch (error) {
    if (error instanceof RangeError || (error instanceof SshError && error.code === "protocol")) throw damaged(format);
    throw error;
  }
}
