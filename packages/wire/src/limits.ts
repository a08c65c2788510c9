/** Limits of the protocol layers: those of the RFCs, ours, and those of a server. @module */

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

/** Our limits and defaults. */
export const Limits = {
  /** largest packet_length that we accept. OpenSSH accepts the same; RFC 4253 section 6.1 requires 35000. */
  packetLength: 256 * 1024,
  /** lines, and their total bytes, that a server may send before its identification */
  linesBeforeIdentification: 1024,
  bytesBeforeIdentification: 64 * 1024,
  /** default bytes in one direction, and milliseconds, before a rekey */
  rekeyBytes: 2 ** 30,
  rekeyMs: 3_600_000,
  /** from our KEXINIT to the peer's NEWKEYS */
  kexTimeoutMs: 60_000,
  /** EXT_INFO messages of a peer: after its first NEWKEYS and before USERAUTH_SUCCESS (RFC 8308 section 2.4) */
  extInfos: 2,
  /**
   * Bytes of control messages held during a key exchange, and the overhead counted for each message, because a peer can
   * request thousands of one-byte replies. 15,000 messages fit, enough for thousands of closing channels.
   */
  heldOutput: 1024 * 1024,
  heldOverhead: 64,
  /** bytes of unsent output above which channels send no data, and above which we stop reading input */
  outputHighWater: 256 * 1024,
  outputCeiling: 2 * 1024 * 1024,
  /** receive window and largest data string of a channel, as in OpenSSH */
  window: 2 * 1024 * 1024,
  maxPacket: 32 * 1024,
  /** receive windows and unread bytes of a connection's channels together, and the window guaranteed to each channel */
  windows: 256 * 1024 * 1024,
  leastWindow: 4 * 1024,
  /** unsent bytes of all channels above which we refuse the peer's opens, and the most counted per channel */
  unsent: 128 * 1024 * 1024,
  unsentOfChannel: 64 * 1024,
  /**
   * On a connection with a long round trip, a window grows to `largestWindow`, and all windows of the connection grow
   * by at most `windowGrowth` together. sshd buffers 16 MiB per channel and fails near that size.
   */
  largestWindow: 16 * 1024 * 1024,
  windowGrowth: 64 * 1024 * 1024,
  /** shortest long round trip, and the measurements required. Otherwise large windows slow sshd down. */
  longRoundTripMs: 30,
  roundTrips: 3,
  /** time without data after which a channel returns to its initial window */
  windowIdleMs: 5_000,
  /** channels of a connection */
  channels: 16 * 1024,
  /** unanswered requests of the peer above which we stop reading input */
  unansweredRequests: 256,
  /** wait for the CLOSE of the side that opened the channel */
  closeGraceMs: 1000,
  /** delay of our CLOSE while the peer grants no window for earlier data. Linux keeps orphaned sockets as long. */
  closeStallMs: 60_000,
  /** window, in bytes, that renews that delay. sshd grants more at once. */
  closeStallCredit: 4096,
  /** messages outside the first key exchange (IGNORE, DEBUG, UNIMPLEMENTED), and bytes, of a peer before login */
  strayBeforeLogin: 64,
  bytesBeforeLogin: 1024 * 1024,
  /** messages of login methods that a client answers, such as prompts */
  authRounds: 64,
  /** banners that a client accepts, and their total bytes */
  banners: 16,
  bannerBytes: 64 * 1024,
  /** characters that a program sees of a DEBUG message and of an originator address */
  debugCharacters: 1024,
  addressCharacters: 255,
  /** default number of channels that wait for a listener's program. Further channels are refused. */
  backlog: 1024,
  /** timeout of a probe of our own port, and delay before requesting a port again that is in use */
  probeTimeoutMs: 5_000,
  /** time for a server to answer, when the network has changed */
  answerMs: 5_000,
  pendingRetryMs: 2_000,
  /** state changes in a tunnel's timeline */
  timeline: 100,
  /** jump hosts of a tunnel; each one's connection is carried inside the previous one's */
  jumpHosts: 16,
  /** default timeout of `onOpen` */
  onOpenTimeoutMs: 30_000,
  /** default timeout from dialling to login */
  loginTimeoutMs: 60_000,
  /** wait for the peer to read our last bytes when a connection closes */
  logoffTimeoutMs: 5_000,
} as const;

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
