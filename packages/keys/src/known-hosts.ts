/** The text of known_hosts files: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT. @module */
import { plainName } from "@postern/crypto";
import { type Bytes, equal, expectType, fromBase64, SshError, toBase64, utf8 } from "@postern/wire";
import { certifiedKey, parseCertificate } from "./certificate.ts";
import { matchPattern } from "./match-pattern.ts";
import { describePublicKey, keyType } from "./public-key.ts";

/** HMAC-SHA1 (RFC 2104). It only hides host names in files, and is never negotiable. */
export type HmacSha1 = (key: Bytes, data: Bytes) => Bytes;

/** Limits of known hosts. Longer patterns match nothing, as in OpenSSH. */
export const KnownHostsLimits = { characters: 16_777_216, pattern: 1022, key: 16_384, name: 1024 } as const;

/** A line that names hosts. */
export interface KnownHostsLine {
  /** the name of the file, if it comes from one */
  readonly file: string | undefined;
  /** 1 for the first line */
  readonly number: number;
  /** the whole line without its line feed */
  readonly text: string;
  readonly marker: "@cert-authority" | "@revoked" | undefined;
  /** comma-separated patterns, or a hashed name */
  readonly hosts: string;
  /** the key type and the key in base64, which may be malformed: see {@link knownKey} */
  readonly keyType: string;
  readonly base64: string;
}

/** A readable key of a line. */
export interface KnownKey {
  readonly line: KnownHostsLine;
  readonly blob: Bytes;
}

/**
 * Reads the lines of a known_hosts file. Comments, and lines without a host, a key type and a key, are left out.
 *
 * @throws SshError `key` if the text is longer than {@link KnownHostsLimits}
 */
export function parseKnownHosts(text: string, file?: string): readonly KnownHostsLine[] {
  expectType("the text of known hosts", text, "string");
  if (text.length > KnownHostsLimits.characters) {
    const size = `${KnownHostsLimits.characters} characters of known hosts`;
    throw new SshError("key", `expected at most ${size}, got ${text.length}${file === undefined ? "" : ` in ${file}`}`);
  }
  const lines: KnownHostsLine[] = [];
  for (const [index, whole] of text.split("\n").entries()) {
    // OpenSSH reads a line as a C string, which ends at NUL.
    const [readable = ""] = whole.split("\0", 1);
    const [, marker, space, hosts, type, base64] = pattern.exec(readable) ?? [];
    if (hosts === undefined || type === undefined || base64 === undefined) continue;
    if (marker !== undefined && !isMarker(marker, space)) continue;
    lines.push({ file, number: index + 1, text: whole, marker, hosts, keyType: type, base64 });
  }
  return lines;
}

/** An optional marker, hosts, a key type, a key. */
const pattern = /^[ \t]*(?:(@[^ \t]*)([ \t])[ \t]*)?(?![@#])([^ \t]+)[ \t]+([^ \t#][^ \t]*)[ \t]+([^ \t#\r][^ \t\r]*)/;

/**
 * OpenSSH reads a marker up to a space, and ignores the line if a tab follows. For `@revoked` the tab is accepted,
 * because a line that is ignored would revoke nothing.
 */
function isMarker(marker: string, space: string | undefined): marker is "@cert-authority" | "@revoked" {
  return marker === "@revoked" || (marker === "@cert-authority" && space === " ");
}

/**
 * Returns the name under which a host is known: its own if the port is 22, otherwise `[host]:port`. Names are in lower
 * case.
 */
export function knownHostsName(host: string, port: number): string {
  const name = host.toLowerCase();
  return port === 22 ? name : `[${name}]:${port}`;
}

/** Whether the hosts of a line match a name of {@link knownHostsName}. */
export function matchesKnownHost(hosts: string, name: string, hmacSha1: HmacSha1): boolean {
  if (name === "" || name.length > KnownHostsLimits.name) return false;
  if (hosts.startsWith("|")) return matchesHash(hosts, name, hmacSha1);
  let matched = false;
  for (const entry of hosts.split(",")) {
    const isNegated = entry.startsWith("!");
    const host = (isNegated ? entry.slice(1) : entry).toLowerCase();
    if (host.length > KnownHostsLimits.pattern) return false;
    if (!matchPattern(name, host)) continue;
    if (isNegated) return false;
    matched = true;
  }
  return matched;
}

/** `|1|salt|hash`, each 20 bytes in base64. */
function matchesHash(hosts: string, name: string, hmacSha1: HmacSha1): boolean {
  const [, salt] = /^\|1\|([A-Za-z0-9+/]{27}=)\|[A-Za-z0-9+/]{27}=$/.exec(hosts) ?? [];
  return salt !== undefined && hashHost(name, fromBase64(salt), hmacSha1) === hosts;
}

function hashHost(name: string, salt: Bytes, hmacSha1: HmacSha1): string {
  return `|1|${toBase64(salt)}|${toBase64(hmacSha1(salt, utf8(name)))}`;
}

/** Key types that OpenSSH 9.2 reads. A line with another type is ignored. */
const readable =
  /^(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\.com|sk-ecdsa-sha2-nistp256@openssh\.com)$/;

/** Returns the key of a line, or `undefined` if it is malformed or of a type that OpenSSH does not know. */
export function knownKey(line: KnownHostsLine): KnownKey | undefined {
  const { keyType: given, base64 } = line;
  const type = /^rsa-sha2-(?:256|512)$/.test(given) ? "ssh-rsa" : given;
  if (base64.length > KnownHostsLimits.key || !readable.test(plainName(type) ?? type)) return undefined;
  try {
    const blob = fromBase64(base64);
    if (keyType(blob) !== type || toBase64(blob) !== base64) return undefined;
    if (plainName(type) === undefined) describePublicKey(blob);
    else parseCertificate(blob);
    return { line, blob };
  } catch {
    return undefined;
  }
}

/** Returns the keys of the lines that match a name. */
export function knownKeys(lines: readonly KnownHostsLine[], name: string, hmacSha1: HmacSha1): readonly KnownKey[] {
  return lines
    .filter(({ hosts }) => matchesKnownHost(hosts, name, hmacSha1))
    .map(knownKey)
    .filter((key) => key !== undefined);
}

/**
 * Formats a line that makes a key known.
 *
 * @param salt 20 random bytes to hash the name with; without it the name is readable
 * @throws SshError `key` if the blob is malformed, or of a type or size that is not read back; `misuse` if the name is
 *   not one that a line can hold
 */
export function formatKnownHostsLine(
  name: string,
  blob: Bytes,
  salt?: { readonly bytes: Bytes; readonly hmacSha1: HmacSha1 },
): string {
  // A name with these characters would match other hosts, or break the line. Files have one byte per character, so
  // other characters would become these: U+4E2A would become an asterisk, U+4E0A a line feed.
  if (!/^[!-~]+$/.test(name) || /[,*?!|#@]/.test(name) || name.length > KnownHostsLimits.pattern) {
    throw new SshError(
      "misuse",
      "expected a host name of ASCII characters without spaces, commas and wildcards to store, got another; write an " +
        "international name as xn--…",
    );
  }
  const described = describePublicKey(blob);
  const hosts = salt === undefined ? name : hashHost(name, salt.bytes, salt.hmacSha1);
  const line = `${hosts} ${keyType(blob)} ${toBase64(blob)}`;
  // The host of a line that is ignored stays unknown, so that every later key would be accepted as its first.
  if (parseKnownHosts(line).map(knownKey)[0] === undefined) {
    throw new SshError("key", `expected a key that known_hosts can hold, got ${blob.length} bytes of ${described}`);
  }
  return line;
}

/** Whether a line revokes a key. A revoked certificate stands for its key, as in OpenSSH. */
export function revokes({ line, blob }: KnownKey, key: Bytes): boolean {
  if (line.marker !== "@revoked") return false;
  return equal(certifiedKey(blob), key);
}
