/** The lines of key files that may concern one key, because reading all of them would take too long. @module */
import { readFile } from "node:fs/promises";
import { formatPublicKey, parsePublicKey } from "@postern/keys";
import { authorizedKeys, type HostLoginAttempt } from "@postern/node";
import { type Bytes, toBase64 } from "@postern/wire";
import type { HostLogger } from "../logger.ts";
import type { Settings } from "./parse.ts";
import { fileOf } from "./settings.ts";

/** Lines of a user's file that one key is looked up in. */
const mostLines = 256;

type KeyAttempt = Extract<HostLoginAttempt, { readonly method: "publickey" }>;

/** TrustedUserCAKeys with AuthorizedPrincipalsFile, as lines of an authorized_keys file. */
export async function trustedAuthorities(
  certificate: KeyAttempt["certificate"],
  settings: Settings,
  read: (name: string) => Promise<string | undefined>,
  logger: HostLogger,
): Promise<ReturnType<typeof authorizedKeys> | undefined> {
  const file = fileOf(settings, "TrustedUserCAKeys");
  if (certificate === undefined || file === undefined) return undefined;
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) {
    logger.write("ERROR", `Could not open trusted user CA keys ${file}`);
    return undefined;
  }
  const isTrusted = text.split(/\r?\n/).some((line) => isLineOf(line, certificate.signatureKey));
  if (!isTrusted) return undefined;
  const authority = formatPublicKey(certificate.signatureKey);
  const principalsFile = fileOf(settings, "AuthorizedPrincipalsFile");
  if (principalsFile === undefined) return authorizedKeys(`cert-authority ${authority}`);
  const lines = (await read(principalsFile))?.split(/\r?\n/) ?? [];
  const own = lines.flatMap((line) => principalLine(line, authority, certificate.principals) ?? []);
  return authorizedKeys(own.slice(0, mostLines));
}

function isLineOf(line: string, key: Bytes): boolean {
  try {
    const { blob } = parsePublicKey(line);
    return blob.length === key.length && blob.every((byte, index) => byte === key[index]);
  } catch {
    return false;
  }
}

/**
 * Returns the lines that may have a key. Reading all lines of a user's file could take seconds, in which the host
 * serves no other client.
 */
export function linesWith(key: Bytes, text: string): readonly string[] {
  // Without the last characters, which may have padding.
  const base64 = toBase64(key).slice(0, -4);
  return text
    .split(/[\r\n]/)
    .filter((line) => line.includes(base64))
    .slice(0, mostLines);
}

/** A line of an AuthorizedPrincipalsFile: options, if there are some, and a name, which the certificate must have. */
function principalLine(line: string, authority: string, principals: readonly string[]): string | undefined {
  // The time of an expression for the end of a line would grow with the square of its spaces.
  const text = line.trim();
  if (text === "" || text.startsWith("#")) return undefined;
  const [, options = "", name = ""] = /^(.*[ \t])?([^ \t]+)$/.exec(text) ?? [];
  if (!principals.includes(name) || /[",\\]/.test(name)) return undefined;
  if (hasOpenSpace(options.trim())) return undefined;
  const before = options.trim() === "" ? "" : `${options.trim()},`;
  return `${before}cert-authority,principals="${name}" ${authority}`;
}

/** Whether there is a space outside of quotes. It ends the options of a key: the line would be one of another key. */
function hasOpenSpace(options: string): boolean {
  let isQuoted = false;
  for (let i = 0; i < options.length; i++) {
    const char = options[i];
    if (char === '"' && options[i - 1] !== "\\") isQuoted = !isQuoted;
    else if (!isQuoted && (char === " " || char === "\t")) return true;
  }
  return false;
}
