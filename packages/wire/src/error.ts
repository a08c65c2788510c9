/** The one error class, and the DISCONNECT reason that goes with each code. @module */

/**
 * What went wrong, for programs to test:
 *
 * - `protocol`: the peer broke an RFC's rule; `mac`: a packet failed its integrity check; `version`: the peer is no SSH 2 server
 * - `busy`: the host turns us away for now; it asks to be left alone for a while
 * - `negotiation`: no algorithm in common; `kex`: the key exchange failed, perhaps because the host key is malformed or its signature wrong
 * - `hostkey`: the host proved that it has a key, and the key was refused or is not the one of the first key exchange
 * - `auth`: the host accepted none of the methods; `credentials`: a method of ours failed (a vault, an agent), and the host refused nothing
 * - `refused`: the peer refused one request or one channel; the connection goes on
 * - `denied`: the same, and the host said that its policy is the reason or that it does not know the request, so asking again does not help
 * - `connect`: the address could not be reached; `timeout`: a deadline passed; `aborted`: a signal fired
 * - `closed`: the connection ended (by us, or by the peer without a reason); `disconnected`: the peer sent DISCONNECT
 * - `limit`: the peer wanted more than our limits allow
 * - `key`: a key, key file or fingerprint is malformed; `misuse`: the caller's mistake, which never closes the connection
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
  | "misuse";

/** What may accompany an {@link SshError}. */
export interface SshErrorOptions extends ErrorOptions {
  /** the reason code the peer sent: of DISCONNECT (RFC 4253 11.1) or of CHANNEL_OPEN_FAILURE (RFC 4254 5.1) */
  readonly reason?: number;
}

/** The only error Postern throws. `message` says what was expected and what came, and holds no secret. */
export class SshError extends Error {
  override readonly name = "SshError";
  readonly code: SshErrorCode;
  /** the reason code the peer sent, when it sent one */
  readonly reason: number | undefined;

  constructor(code: SshErrorCode, message: string, options?: SshErrorOptions) {
    super(message, options);
    this.code = code;
    this.reason = options?.reason;
  }
}

/** Disconnect reason codes, RFC 4253 section 11.1. */
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

/** Of the codes that have one of their own; a program ended the connection for any other. */
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

/** The DISCONNECT reason code to send for an error (RFC 4253 section 11.1). */
export function disconnectReason(error: unknown): number {
  return (error instanceof SshError ? reasons[error.code] : undefined) ?? DisconnectReason.BY_APPLICATION;
}

/**
 * The fixed text to send with a reason code: the RFC's name of it. Messages of errors are for the program alone, because they name
 * keys, hosts and files of this machine, and the peer may not even be authenticated.
 */
export function disconnectDescription(reason: number): string {
  const [name = "unknown reason"] = Object.entries(DisconnectReason).find(([, code]) => code === reason) ?? [];
  return name.toLowerCase().replaceAll("_", " ");
}

/** The error itself when it is an {@link SshError}, else a new one of the given code with it as the cause. */
export function toSshError(error: unknown, code: SshErrorCode, message: string): SshError {
  return error instanceof SshError ? error : new SshError(code, message, { cause: error });
}
