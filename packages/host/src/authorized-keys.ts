/** Reads authorized_keys files: sshd(8), AUTHORIZED_KEYS FILE FORMAT. @module */
import { checkRsaKey } from "@postern/crypto";
import { describePublicKey, parsePublicKey } from "@postern/keys";
import { type Bytes, describeType, quote, Reader, ServerLimits, SshError, toHex } from "@postern/wire";
import { type KeyOptions, readKeyOptions } from "./key-options.ts";
import type { Permissions } from "./permissions.ts";

/** A line that gives nobody access, and why. */
export interface RefusedLine {
  /** counted from 1 */
  readonly line: number;
  readonly reason: string;
}

/** What users can log in with; the plain types of RFC 4253, 5656 and 8709. Certificates and hardware keys are of other types. */
export const userKeyTypes: readonly string[] = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "ssh-rsa",
];

/** The circumstances of a login that options of a key may depend on. */
export interface KeyUse {
  /** the client's address; without one, a key with `from` is refused */
  readonly host?: string | undefined;
  /** milliseconds since 1970; default now */
  readonly time?: number;
}

/** The keys of a user. */
export interface AuthorizedKeys {
  readonly size: number;
  /** lines that could not be read or have an option this host does not know; show them to whoever wrote the file */
  readonly refused: readonly RefusedLine[];
  /**
   * The most a key may do, as its line says; undefined when it is not authorized under the circumstances. `policy` lets the line only take
   * away from what the user may. Given as a decision as it is, its `permitopen` permits.
   */
  permissions(publicKey: Bytes, use?: KeyUse): Permissions | undefined;
}

const noOptions: KeyOptions = {
  portForwarding: true,
  permitListen: undefined,
  permitOpen: undefined,
  from: undefined,
  expires: undefined,
};

/**
 * Reads the text of an authorized_keys file, or a list of its lines. Options count as for sshd: `permitlisten`, `permitopen`, `port-forwarding`,
 * `no-port-forwarding`, `restrict`, `from`, `expiry-time`; those about shells, agents and X11 mean nothing here. A line with any
 * other option, a key of a type nobody can log in with here, or one that cannot be read, authorizes nobody and is listed in `refused`.
 *
 * @throws SshError `misuse` for anything but a string or a list of strings
 * @example
 * const keys = authorizedKeys('restrict,port-forwarding,permitlisten="localhost:8080" ssh-ed25519 AAAA… me@laptop');
 */
export function authorizedKeys(text: string | readonly string[]): AuthorizedKeys {
  const keys = new Map<string, KeyOptions[]>();
  const refused: RefusedLine[] = [];
  let size = 0;
  for (const [index, raw] of joined(text)
    .split(/\r\n|\r|\n/)
    .entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    try {
      const { blob, options } = readLine(line);
      const id = toHex(blob);
      const known = keys.get(id);
      if (known === undefined) keys.set(id, [options]);
      else known.push(options);
      size++;
    } catch (error) {
      if (!(error instanceof SshError)) throw error;
      refused.push({ line: index + 1, reason: error.message });
    }
  }
  return {
    size,
    refused,
    permissions(publicKey, { host, time = Date.now() } = {}) {
      // As sshd: the first line of the key whose conditions hold.
      const options = keys.get(toHex(publicKey))?.find((one) => holds(one, host, time));
      if (options === undefined) return undefined;
      const { portForwarding, permitListen, permitOpen } = options;
      return portForwarding ? { permitListen, permitOpen } : { permitListen: [], permitOpen: [] };
    },
  };
}

function joined(text: string | readonly string[]): string {
  const lines: readonly unknown[] = Array.isArray(text) ? text : [text];
  for (const line of lines) {
    if (typeof line === "string") continue;
    throw new SshError("misuse", `expected authorized keys as text, got ${describeType(line)}`);
  }
  return lines.join("\n");
}

function holds({ from, expires }: KeyOptions, host: string | undefined, time: number): boolean {
  if (expires !== undefined && expires < time) return false;
  return from === undefined || (host !== undefined && from.includes(host));
}

function readLine(line: string): { readonly blob: Bytes; readonly options: KeyOptions } {
  // A key without options starts with its type, which the blob repeats; anything else starts with options.
  if (/^[a-z0-9@.-]+[ \t]+AAAA[A-Za-z0-9+/]/.test(line)) return { blob: readKey(line), options: noOptions };
  const { options, rest } = readKeyOptions(line);
  return { blob: readKey(rest), options };
}

function readKey(text: string): Bytes {
  const { type, blob } = parsePublicKey(text);
  if (!userKeyTypes.includes(type)) {
    throw new SshError("key", `expected a key of a type one can log in with here, got ${quote(type, 64)}`);
  }
  if (blob.length > ServerLimits.userKeyBytes) {
    throw new SshError(
      "key",
      `expected a key of at most ${ServerLimits.userKeyBytes} bytes, got ${describePublicKey(blob)}`,
    );
  }
  if (type === "ssh-rsa") {
    const reader = new Reader(blob, "public key");
    reader.text();
    const exponent = reader.mpint();
    checkRsaKey({ exponent, modulus: reader.mpint() });
  }
  return blob;
}
