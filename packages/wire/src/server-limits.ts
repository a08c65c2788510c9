/** The longest timer, and our limits of a server. @module */

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
