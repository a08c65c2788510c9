/** authorized_keys files: sshd(8), AUTHORIZED_KEYS FILE FORMAT. @module */
import { checkRsaKey } from "@postern/crypto";
import { describePublicKey, parsePublicKey } from "@postern/keys";
import { type Bytes, expectType, quote, Reader, ServerLimits, SshError, toHex } from "@postern/wire";
import { type KeyOptions, readKeyOptions } from "./key-options.ts";
import type { Permissions } from "./permissions.ts";

/** A line that authorizes no key, and the reason. */
export interface RefusedLine {
  /** Line number, counted from 1. */
  readonly line: number;
  readonly reason: string;
}

/** The key types of users (RFC 4253, 5656 and 8709). Certificates and hardware keys have other types. */
export const userKeyTypes: readonly string[] = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "ssh-rsa",
];

/** Where and when a key is used. The options `from` and `expiry-time` are checked against this. */
export interface KeyUse {
  /** The client's address. Without one, a key with `from` is refused. */
  readonly host?: string | undefined;
  /** Milliseconds since 1970. Default: now. */
  readonly time?: number;
}

/** The keys of a user. */
export interface AuthorizedKeys {
  /** Number of keys. */
  readonly size: number;
  /** Lines that are malformed, or have an unsupported option or key type. Show them to the author of the file. */
  readonly refused: readonly RefusedLine[];
  /**
   * Returns the permissions that the key's line grants, or `undefined` if no line authorizes the key under these
   * conditions. `policy` uses them only to restrict the user's permissions. But if `authorize` returns them unchanged,
   * the client may connect to the targets of `permitopen`.
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
 * Parses the text of an authorized_keys file, or a list of its lines. The options `permitlisten`, `permitopen`,
 * `port-forwarding`, `no-port-forwarding`, `restrict`, `from` and `expiry-time` work as in sshd. Options about shells,
 * agents and X11 have no effect. A line that is malformed, or has another option or an unsupported key type, authorizes
 * no key and is listed in `refused`.
 *
 * @throws SshError `misuse` for anything but a string or a list of strings
 * @example
 * const keys = authorizedKeys('restrict,port-forwarding,permitlisten="localhost:8080" ssh-ed25519 AAAA… me@laptop');
 */
export function authorizedKeys(text: string | readonly string[]): AuthorizedKeys {
  const keys = new Map<string, KeyOptions[]>();
  const refused: RefusedLine[] = [];
  let size = 0;
  for (const [index, raw] of joinLines(text)
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
      // As in sshd, the first line that has the key and whose conditions hold applies.
      const options = keys.get(toHex(publicKey))?.find((line) => isUsable(line, host, time));
      if (options === undefined) return undefined;
      const { portForwarding, permitListen, permitOpen } = options;
      return portForwarding ? { permitListen, permitOpen } : { permitListen: [], permitOpen: [] };
    },
  };
}

function joinLines(text: string | readonly string[]): string {
  const lines: readonly unknown[] = Array.isArray(text) ? text : [text];
  for (const line of lines) expectType("authorized keys", line, "string");
  return lines.join("\n");
}

function isUsable({ from, expires }: KeyOptions, host: string | undefined, time: number): boolean {
  if (expires !== undefined && expires < time) return false;
  return from === undefined || (host !== undefined && from.includes(host));
}

function readLine(line: string): { readonly blob: Bytes; readonly options: KeyOptions } {
  // Without options, a line starts with the key's type and its base64.
  if (/^[a-z0-9@.-]+[ \t]+AAAA[A-Za-z0-9+/]/.test(line)) return { blob: readKey(line), options: noOptions };
  const { options, rest } = readKeyOptions(line);
  return { blob: readKey(rest), options };
}

function readKey(text: string): Bytes {
  const { type, blob } = parsePublicKey(text);
  if (!userKeyTypes.includes(type)) {
    throw new SshError("key", `expected a key of type ${userKeyTypes.join(", ")}, got ${quote(type, 64)}`);
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
