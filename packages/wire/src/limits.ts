/**
 * Limits and defaults of the protocol layers: first those that an RFC sets, then ours. For `import * as Limits`:
 * minifiers put constants in place, but not the properties of an object.
 * @module
 */

/** bytes of the identification line, including CR LF (RFC 4253 section 4.2) */
export const identificationLine = 255;
/** fewest padding bytes, and the smallest multiple to pad to (RFC 4253 section 6) */
export const minPadding = 4;
export const minBlock = 8;
/** bytes of a window: 2^32 - 1 (RFC 4254 section 5.2) */
export const maxWindow = 0xffff_ffff;
/** packets before a rekey (RFC 4253 section 9, RFC 4344 section 3.1) */
export const maxRekeyPackets: number = 2 ** 31;
/** bytes before a rekey: 2^32 blocks of 16 bytes (RFC 4344 section 3.2) */
export const maxRekeyBytes: number = 2 ** 36;
export const maxPort = 65_535;

/** largest packet_length that we accept. OpenSSH accepts the same; RFC 4253 section 6.1 requires 35000. */
export const packetLength: number = 256 * 1024;
/** lines, and their total bytes, that a server may send before its identification */
export const linesBeforeIdentification = 1024;
export const bytesBeforeIdentification: number = 64 * 1024;
/** default bytes in one direction, and milliseconds, before a rekey */
export const rekeyBytes: number = 2 ** 30;
export const rekeyMs = 3_600_000;
/** from our KEXINIT to the peer's NEWKEYS */
export const kexTimeoutMs = 60_000;
/** EXT_INFO messages of a peer: after its first NEWKEYS and before USERAUTH_SUCCESS (RFC 8308 section 2.4) */
export const extInfos = 2;
/**
 * Bytes of control messages held during a key exchange, and the overhead counted for each message, because a peer can
 * request thousands of one-byte replies. 15,000 messages fit, enough for thousands of closing channels.
 */
export const heldOutput: number = 1024 * 1024;
export const heldOverhead = 64;
/** bytes of unsent output above which channels send no data, and above which we stop reading input */
export const outputHighWater: number = 256 * 1024;
export const outputCeiling: number = 2 * 1024 * 1024;
/** receive window and largest data string of a channel, as in OpenSSH */
export const window: number = 2 * 1024 * 1024;
export const maxPacket: number = 32 * 1024;
/** receive windows and unread bytes of a connection's channels together, and the window guaranteed to each channel */
export const windows: number = 256 * 1024 * 1024;
export const leastWindow: number = 4 * 1024;
/** unsent bytes of all channels above which we refuse the peer's opens, and the most counted per channel */
export const unsent: number = 128 * 1024 * 1024;
export const unsentOfChannel: number = 64 * 1024;
/**
 * On a connection with a long round trip, a window grows to `largestWindow`, and all windows of the connection grow
 * by at most `windowGrowth` together. sshd buffers 16 MiB per channel and fails near that size.
 */
export const largestWindow: number = 16 * 1024 * 1024;
export const windowGrowth: number = 64 * 1024 * 1024;
/** shortest long round trip, and the measurements required. Otherwise large windows slow sshd down. */
export const longRoundTripMs = 30;
export const roundTrips = 3;
/** time without data after which a channel returns to its initial window */
export const windowIdleMs = 5_000;
/** channels of a connection */
export const channels: number = 16 * 1024;
/** unanswered requests of the peer above which we stop reading input */
export const unansweredRequests = 256;
/** wait for the CLOSE of the side that opened the channel */
export const closeGraceMs = 1000;
/** delay of our CLOSE while the peer grants no window for earlier data. Linux keeps orphaned sockets as long. */
export const closeStallMs = 60_000;
/** window, in bytes, that renews that delay. sshd grants more at once. */
export const closeStallCredit = 4096;
/** messages outside the first key exchange (IGNORE, DEBUG, UNIMPLEMENTED), and bytes, of a peer before login */
export const strayBeforeLogin = 64;
export const bytesBeforeLogin: number = 1024 * 1024;
/** messages of login methods that a client answers, such as prompts */
export const authRounds = 64;
/** banners that a client accepts, and their total bytes: a packet of OpenSSH holds no more */
export const banners = 16;
export const bannerBytes: number = 256 * 1024;
/** characters that a program sees of a DEBUG message and of an originator address */
export const debugCharacters = 1024;
export const addressCharacters = 255;
/** default number of channels that wait for a listener's program. Further channels are refused. */
export const backlog = 1024;
/** time for a server to answer when the network has changed */
export const answerMs = 5_000;
/** timeout of a probe of our own port, and delay before requesting a port again that is in use */
export const probeTimeoutMs = 5_000;
export const pendingRetryMs = 2_000;
/** state changes in a tunnel's timeline */
export const timeline = 100;
/** jump hosts of a tunnel; each one's connection is carried inside the previous one's */
export const jumpHosts = 16;
/** default timeout of `onOpen` */
export const onOpenTimeoutMs = 30_000;
/** default timeout from dialling to login */
export const loginTimeoutMs = 60_000;
/** wait for the peer to read our last bytes when a connection closes */
export const logoffTimeoutMs = 5_000;
