/** Every limit in one place: first what the RFCs say, then what we chose. @module */

/** From the RFCs. */
export const RfcLimits = {
  /** RFC 4253 4.2: the identification line, CR LF included */
  identificationLine: 255,
  /** RFC 4253 6: padding is 4 to 255 bytes, and the packet a multiple of the block size or 8 */
  minPadding: 4,
  maxPadding: 255,
  minBlock: 8,
  /** RFC 4254 5.2: a window never exceeds 2^32 - 1 bytes */
  maxWindow: 0xffff_ffff,
  /** RFC 4253 9 and RFC 4344 3.1: rekey by 2^31 packets at the latest */
  rekeyPackets: 2 ** 31,
  /** RFC 4344 3.2: rekey by 2^32 blocks of a cipher with blocks of 16 bytes at the latest */
  rekeyBytes: 2 ** 36,
  maxPort: 65_535,
} as const;

/** The longest delay of `setTimeout`, in milliseconds: a longer one overflows and fires at once. */
export const maxTimerMs: number = 2 ** 31 - 1;

/** Ours. */
export const Limits = {
  /** bytes of packet_length we accept; RFC 4253 6.1 asks for 35000 at least, OpenSSH accepts as much as we do */
  packetLength: 256 * 1024,
  /** lines a server may send before its identification, and their bytes in all */
  linesBeforeIdentification: 1024,
  bytesBeforeIdentification: 64 * 1024,
  /** rekey after so many bytes in one direction, and after so many milliseconds */
  rekeyBytes: 2 ** 30,
  rekeyMs: 3_600_000,
  /** from our KEXINIT to the peer's NEWKEYS */
  kexTimeoutMs: 60_000,
  /** EXT_INFO messages a peer may send: after its first NEWKEYS and before USERAUTH_SUCCESS (RFC 8308 2.4) */
  extInfos: 2,
  /**
   * bytes of control messages held back while a key exchange is on, and what each of them is charged beside its own: a peer can ask for
   * thousands of answers of one byte. 8000 fit, as many as thousands of channels need that end while keys are exchanged.
   */
  heldOutput: 1024 * 1024,
  heldOverhead: 64,
  /** our output waits for the pipe: above the first no data is taken, above the second no input is read */
  outputHighWater: 256 * 1024,
  outputCeiling: 2 * 1024 * 1024,
  /** the receive window of a channel and its largest data string, as OpenSSH has them */
  window: 2 * 1024 * 1024,
  maxPacket: 32 * 1024,
  /** all receive windows of a connection together, with the bytes that nobody has taken yet, and the least that each channel can rely on */
  windows: 256 * 1024 * 1024,
  leastWindow: 4 * 1024,
  /** unsent bytes of all channels of a connection: above it the peer's opens are refused; and how many of them count for one channel */
  unsent: 128 * 1024 * 1024,
  unsentOfChannel: 64 * 1024,
  /** on a long link a window grows up to the first, and all windows of a connection together by the second; sshd buffers 16 MiB a channel, and is lost near it */
  largestWindow: 16 * 1024 * 1024,
  windowGrowth: 64 * 1024 * 1024,
  /** a link is long from so many milliseconds of round trip, measured so many times; a large window on a short one ruins sshd */
  longRoundTripMs: 30,
  roundTrips: 3,
  /** a channel without data for so long goes back to its first window */
  windowIdleMs: 5_000,
  /** channels of one connection */
  channels: 16 * 1024,
  /** requests of the peer that wait for our answer: above it no input is read */
  unansweredRequests: 256,
  /** how long we wait for the CLOSE of the side that opened the channel */
  closeGraceMs: 1000,
  /** how long CLOSE waits without any credit from the peer for the bytes before it; Linux keeps an orphaned socket about as long */
  closeStallMs: 60_000,
  /** credit that gives such a channel the same time again; a packet of sshd is larger */
  closeStallCredit: 4096,
  /** messages beside the first key exchange (IGNORE, DEBUG, UNIMPLEMENTED), and bytes a peer may send before it is logged in */
  strayBeforeLogin: 64,
  bytesBeforeLogin: 1024 * 1024,
  /** banners a client accepts, and their bytes in all */
  banners: 16,
  bannerBytes: 64 * 1024,
  /** characters of SSH_MSG_DEBUG, and of a visitor's address, that the program is shown */
  debugCharacters: 1024,
  addressCharacters: 255,
  /** event based channels that wait for the program to take them; above it they are refused */
  backlog: 1024,
  /** a host that says nothing is asked after so long, and given up after so many questions */
  keepAliveMs: 30_000,
  keepAliveCount: 5,
  /** before a lost connection is made again */
  reconnectMs: 5_000,
  longestReconnectMs: 300_000,
  /** how long `drain` waits for connections to finish */
  drainMs: 30_000,
  /** how long a probe of our own port may take, and how often a port that is held by somebody is asked for again */
  probeTimeoutMs: 5_000,
  pendingRetryMs: 2_000,
  /** state changes a tunnel remembers */
  timeline: 100,
  /** to connect to a target of local forwarding */
  targetTimeoutMs: 30_000,
  /** for a program to decide about a visitor */
  onOpenTimeoutMs: 30_000,
  /** from dialling to logged in */
  loginTimeoutMs: 60_000,
  /** how long logoff waits for the peer to take our last bytes */
  logoffTimeoutMs: 5_000,
} as const;

/** Ours, for a server; apart, so that a client's bundle holds none of them. */
export const ServerLimits = {
  /** key exchanges a client may begin after the first and before it is logged in: each costs its server a signature */
  kexBeforeLogin: 2,
  /** a user's public key: RSA of 8192 bits fits; what is larger takes seconds to verify, for whoever asks */
  userKeyBytes: 1024 + 64,
  /** a password, in UTF-8; OpenSSH takes as much. How many wait for their turn to be compared */
  passwordBytes: 1024,
  waitingPasswords: 64,
  /** refused attempts before a client is disconnected */
  authAttempts: 6,
} as const;
