/** The error class, and the DISCONNECT reason of each error code. @module */

/**
 * Says what went wrong:
 *
 * - `protocol`: the peer violated an RFC
 * - `mac`: a packet failed its integrity check
 * - `version`: the peer does not speak SSH 2
 * - `busy`: the server rejects new connections for now
 * - `negotiation`: client and server have no algorithm in common
 * - `kex`: the key exchange failed, for example because the host key is malformed or its signature is wrong
 * - `hostkey`: the server's host key was rejected, or differs from that of the first key exchange
 * - `auth`: the server accepted none of the authentication methods
 * - `credentials`: one of our authentication methods failed, such as an agent; the server rejected nothing
 * - `refused`: the peer refused a request or a channel; the connection continues
 * - `denied`: as `refused`, but the peer's policy forbids it or the peer does not know the request, so do not retry
 * - `connect`: the address could not be reached
 * - `timeout`: a deadline passed
 * - `aborted`: a signal fired
 * - `closed`: the connection ended, by us or by the peer without a reason
 * - `disconnected`: the peer sent DISCONNECT
 * - `limit`: the peer, or a key file, exceeded one of our limits
 * - `key`: a key, key file or fingerprint is malformed, or a key file cannot be read
 * - `passphrase`: a key file is encrypted, and the passphrase is missing or wrong
 * - `unsupported`: a key file is in a format, or holds a type of key, that Postern does not read
 * - `misuse`: the caller made a mistake; this never closes the connection
 */
export type SshErrorCode =
  | "protocol"
  | "mac"
  | "version"
  | "busy"
  | "negotiation"
  | "kex"
  | "hostkey"
  | "auth"
  | "credentials"
  | "refused"
  | "denied"
  | "connect"
  | "timeout"
  | "aborted"
  | "closed"
  | "disconnected"
  | "limit"
  | "key"
  | "passphrase"
  | "unsupported"
  | "misuse";

/** Options of an {@link SshError}. */
export interface SshErrorOptions extends ErrorOptions {
  /** the reason code in the peer's DISCONNECT (RFC 4253 section 11.1) or CHANNEL_OPEN_FAILURE (RFC 4254 section 5.1) */
  readonly reason?: number | undefined;
  /** the description that came with the reason code */
  readonly description?: string | undefined;
}

/** The error class of Postern. `message` states what was expected and what came, and contains no secret. */
export class SshError extends Error {
  override readonly name = "SshError";
  readonly code: SshErrorCode;
  /** the reason code that the peer sent, if any */
  readonly reason: number | undefined;
  /**
   * The description that the peer sent with the reason code: any text, so escape it before you show it. `message` has
   * it escaped.
   */
  readonly description: string | undefined;

  constructor(code: SshErrorCode, message: string, options?: SshErrorOptions) {
    super(message, options);
    this.code = code;
    this.reason = options?.reason;
    this.description = options?.description;
  }
}

/** Reason codes of DISCONNECT (RFC 4253 section 11.1). */
export const DisconnectReason = {
  HOST_NOT_ALLOWED_TO_CONNECT: 1,
  PROTOCOL_ERROR: 2,
  KEY_EXCHANGE_FAILED: 3,
  RESERVED: 4,
  MAC_ERROR: 5,
  COMPRESSION_ERROR: 6,
  SERVICE_NOT_AVAILABLE: 7,
  PROTOCOL_VERSION_NOT_SUPPORTED: 8,
  HOST_KEY_NOT_VERIFIABLE: 9,
  CONNECTION_LOST: 10,
  BY_APPLICATION: 11,
  TOO_MANY_CONNECTIONS: 12,
  AUTH_CANCELLED_BY_USER: 13,
  NO_MORE_AUTH_METHODS_AVAILABLE: 14,
  ILLEGAL_USER_NAME: 15,
} as const;

/** The reason of each error code. Other codes use BY_APPLICATION. */
const reasons: Readonly<Partial<Record<SshErrorCode, number>>> = {
  protocol: DisconnectReason.PROTOCOL_ERROR,
  mac: DisconnectReason.MAC_ERROR,
  version: DisconnectReason.PROTOCOL_VERSION_NOT_SUPPORTED,
  negotiation: DisconnectReason.KEY_EXCHANGE_FAILED,
  kex: DisconnectReason.KEY_EXCHANGE_FAILED,
  hostkey: DisconnectReason.HOST_KEY_NOT_VERIFIABLE,
  auth: DisconnectReason.NO_MORE_AUTH_METHODS_AVAILABLE,
  credentials: DisconnectReason.AUTH_CANCELLED_BY_USER,
  connect: DisconnectReason.CONNECTION_LOST,
  limit: DisconnectReason.TOO_MANY_CONNECTIONS,
  key: DisconnectReason.PROTOCOL_ERROR,
};

/** Returns the DISCONNECT reason code to send for an error (RFC 4253 section 11.1). */
export function disconnectReason(error: unknown): number {
  return (error instanceof SshError ? reasons[error.code] : undefined) ?? DisconnectReason.BY_APPLICATION;
}

/**
 * Returns the description to send with a reason code: its name in the RFC. Error messages are not sent, because they
 * name keys, hosts and files of this machine, and the peer may not be authenticated.
 */
export function disconnectDescription(reason: number): string {
  const [name = "unknown reason"] = Object.entries(DisconnectReason).find(([, code]) => code === reason) ?? [];
  return name.toLowerCase().replaceAll("_", " ");
}

/** Returns `error` if it is an {@link SshError}, otherwise a new SshError with `error` as its cause. */
export function toSshError(error: unknown, code: SshErrorCode, message: string): SshError {
  return error instanceof SshError ? error : new SshError(code, message, { cause: error });
}
