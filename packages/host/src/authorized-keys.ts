/** authorized_keys files: sshd(8), AUTHORIZED_KEYS FILE FORMAT. @module */
import { type Certificate, checkRsaKey, type SecurityKeyUse } from "@postern/crypto";
import { describePublicKey, parsePublicKey } from "@postern/keys";
import { type Bytes, equal, expectType, quote, Reader, ServerLimits, SshError, toHex } from "@postern/wire";
import { type KeyOptions, readKeyOptions } from "./key-options.ts";
import type { Permissions } from "./permissions.ts";
import { restrictByCertificate } from "./user-certificate.ts";

/** A line that authorizes no key, and the reason. */
export interface RefusedLine {
  /** Line number, counted from 1. */
  readonly line: number;
  readonly reason: string;
}

/** The key types of users (RFC 4253, 5656, 8709; OpenSSH PROTOCOL.u2f). A certificate is trusted by its CA's key. */
export const userKeyTypes: readonly string[] = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "ssh-rsa",
  "sk-ssh-ed25519@openssh.com",
  "sk-ecdsa-sha2-nistp256@openssh.com",
];

/** Where, when and how a key is used. The options of its line are checked against this. */
export interface KeyUse {
  /** The client's address. Without one, a key with `from` is refused. */
  readonly host?: string | undefined;
  /** Milliseconds since 1970. Default: now. */
  readonly time?: number;
  /**
   * `attempt.certificate`, if the key is a certificate. Without it, a certificate is refused. The CA's signature of a
   * certificate from another source must be checked first, see `checkCertificateSignature`.
   */
  readonly certificate?: Certificate | undefined;
  /** The user name, which must be among the certificate's principals unless the line has `principals`. */
  readonly user?: string;
  /** Whether the client proved possession. Default: `true`. A query of the client passes `false`. */
  readonly proved?: boolean;
  /** `attempt.securityKey`. Without it, a proof by a key with `verify-required` is refused. */
  readonly securityKey?: SecurityKeyUse | undefined;
  /** Called for each line that has the key or its CA but whose conditions do not hold. */
  readonly onRefused?: (reason: string) => void;
}

/** The keys of a user. */
export interface AuthorizedKeys {
  /** Number of keys. */
  readonly size: number;
  /** Lines that are malformed, or have an unsupported option or key type. Show them to the author of the file. */
  readonly refused: readonly RefusedLine[];
  /**
   * Returns the permissions that the line of the key, or of its certificate's CA, grants, or `undefined` if no line
   * authorizes the key under these conditions. `policy` uses them only to restrict the user's permissions. But if
   * `authorize` returns them unchanged, the client may connect to the targets of `permitopen`.
   */
  permissions(publicKey: Bytes, use?: KeyUse): Permissions | undefined;
}

const noOptions: KeyOptions = {
  portForwarding: true,
  permitListen: undefined,
  permitOpen: undefined,
  from: undefined,
  expires: undefined,
  certAuthority: false,
  principals: undefined,
  noTouchRequired: false,
  verifyRequired: false,
};

/**
 * Parses the text of an authorized_keys file, or a list of its lines. The options `permitlisten`, `permitopen`,
 * `port-forwarding`, `no-port-forwarding`, `restrict`, `from`, `expiry-time`, `cert-authority`, `principals`,
 * `no-touch-required` and `verify-required` work as in sshd. Options about shells, agents and X11 have no effect. A
 * line that is malformed, or has another option or an unsupported key type, authorizes no key and is listed in
 * `refused`.
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
    permissions(publicKey, use = {}) {
      const { certificate, onRefused } = use;
      if (certificate !== undefined && !equal(certificate.blob, publicKey)) return undefined;
      // As in sshd, the first line that has the key and whose conditions hold applies.
      for (const line of keys.get(toHex(certificate?.signatureKey ?? publicKey)) ?? []) {
        if (line.certAuthority !== (certificate !== undefined)) continue;
        try {
          return permissionsOf(line, use);
        } catch (error) {
          if (!(error instanceof SshError)) throw error;
          onRefused?.(error.message);
        }
      }
      return undefined;
    },
  };
}

function joinLines(text: string | readonly string[]): string {
  const lines: readonly unknown[] = Array.isArray(text) ? text : [text];
  for (const line of lines) expectType("authorized keys", line, "string");
  return lines.join("\n");
}

/** @throws SshError `key` with the condition that does not hold */
function permissionsOf(line: KeyOptions, use: KeyUse): Permissions {
  const { host, time = Date.now(), certificate, proved = true, securityKey } = use;
  if (line.expires !== undefined && line.expires < time)
    throw new SshError("key", "expected a key in time, got one past its expiry-time");
  if (line.from !== undefined && (host === undefined || !line.from.includes(host))) {
    throw new SshError("key", `expected a client at an address of the option "from", got ${host ?? "no address"}`);
  }
  const options = certificate === undefined ? line : restrictByCertificate(line, certificate, use, time);
  if (options.verifyRequired && proved && securityKey?.userVerified !== true) {
    throw new SshError(
      "key",
      "expected a security key that verified its user (verify-required), got a signature without it",
    );
  }
  const { portForwarding, permitListen, permitOpen, noTouchRequired } = options;
  const permits = portForwarding ? { permitListen, permitOpen } : { permitListen: [], permitOpen: [] };
  return noTouchRequired ? { ...permits, noTouchRequired } : permits;
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
