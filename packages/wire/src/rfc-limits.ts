/** Limits of the RFCs, and ours of a server. Those of both roles are in `limits.ts`. @module */

/** Limits that an RFC sets. */
export const RfcLimits = {
  /** bytes of the identification line, including CR LF (RFC 4253 section 4.2) */
  identificationLine: 255,
  /** fewest padding bytes, and the smallest multiple to pad to (RFC 4253 section 6) */
  minPadding: 4,
  minBlock: 8,
  /** bytes of a window: 2^32 - 1 (RFC 4254 section 5.2) */
  maxWindow: 0xffff_ffff,
  /** packets before a rekey (RFC 4253 section 9, RFC 4344 section 3.1) */
  rekeyPackets: 2 ** 31,
  /** bytes before a rekey: 2^32 blocks of 16 bytes (RFC 4344 section 3.2) */
  rekeyBytes: 2 ** 36,
  maxPort: 65_535,
} as const;

/** The longest delay of `setTimeout`, in milliseconds. A longer delay overflows, and the timer fires at once. */
export const maxTimerMs: number = 2 ** 31 - 1;

/** Our limits of a server. Separate, so that bundles of a client omit them. */
export const ServerLimits = {
  /** key exchanges that a client may start between the first and its login: each costs the server a signature */
  kexBeforeLogin: 2,
  /** bytes of a user's public key. An RSA key of 8192 bits fits; verifying with a larger one takes seconds. */
  userKeyBytes: 1024 + 64,
  /** bytes of a user's certificate, which can have many principals and large extensions */
  certificateBytes: 16_384,
  /** bytes of a password in UTF-8, as in OpenSSH, and the passwords that may wait for their comparison */
  passwordBytes: 1024,
  waitingPasswords: 64,
  /** refused attempts before a client is disconnected */
  authAttempts: 6,
} as const;
