/**
 * Where each message and record is specified. Apart from the tables, so that only programs that show packets contain
 * it. A test compares it with the comments of the tables.
 * @module
 */

/** A section of a specification. */
export interface SpecificationSection {
  /** such as `RFC 4253` or `OpenSSH PROTOCOL` */
  readonly document: string;
  /** such as `7.1`; empty if the document is meant as a whole */
  readonly section: string;
  readonly url: string;
}

const protocol = "https://github.com/openssh/openssh-portable/blob/master/PROTOCOL";

/** By the name of the table. */
const sources: Readonly<Record<string, string>> = {
  DISCONNECT: "RFC 4253 section 11.1",
  IGNORE: "RFC 4253 section 11.2",
  UNIMPLEMENTED: "RFC 4253 section 11.4",
  DEBUG: "RFC 4253 section 11.3",
  SERVICE_REQUEST: "RFC 4253 section 10",
  SERVICE_ACCEPT: "RFC 4253 section 10",
  EXT_INFO: "RFC 8308 section 2.3",
  KEXINIT: "RFC 4253 section 7.1",
  NEWKEYS: "RFC 4253 section 7.3",
  KEX_ECDH_INIT: "RFC 5656 section 4",
  KEX_ECDH_REPLY: "RFC 5656 section 4",
  PING: "OpenSSH PROTOCOL section 1.9",
  PONG: "OpenSSH PROTOCOL section 1.9",
  USERAUTH_REQUEST: "RFC 4252 section 5",
  USERAUTH_FAILURE: "RFC 4252 section 5.1",
  USERAUTH_SUCCESS: "RFC 4252 section 5.1",
  USERAUTH_BANNER: "RFC 4252 section 5.4",
  "publickey query": "RFC 4252 section 7",
  "publickey request": "RFC 4252 section 7",
  "publickey-hostbound query": "OpenSSH PROTOCOL",
  "publickey-hostbound request": "OpenSSH PROTOCOL",
  USERAUTH_PK_OK: "RFC 4252 section 7",
  "password request": "RFC 4252 section 8",
  "password change": "RFC 4252 section 8",
  USERAUTH_PASSWD_CHANGEREQ: "RFC 4252 section 8",
  "keyboard-interactive request": "RFC 4256 section 3.1",
  USERAUTH_INFO_REQUEST: "RFC 4256 section 3.2",
  USERAUTH_INFO_RESPONSE: "RFC 4256 section 3.4",
  GLOBAL_REQUEST: "RFC 4254 section 4",
  REQUEST_SUCCESS: "RFC 4254 section 4",
  REQUEST_FAILURE: "RFC 4254 section 4",
  CHANNEL_OPEN: "RFC 4254 section 5.1",
  CHANNEL_OPEN_CONFIRMATION: "RFC 4254 section 5.1",
  CHANNEL_OPEN_FAILURE: "RFC 4254 section 5.1",
  CHANNEL_WINDOW_ADJUST: "RFC 4254 section 5.2",
  CHANNEL_DATA: "RFC 4254 section 5.2",
  CHANNEL_EXTENDED_DATA: "RFC 4254 section 5.2",
  CHANNEL_EOF: "RFC 4254 section 5.3",
  CHANNEL_CLOSE: "RFC 4254 section 5.3",
  CHANNEL_REQUEST: "RFC 4254 section 5.4",
  CHANNEL_SUCCESS: "RFC 4254 section 5.4",
  CHANNEL_FAILURE: "RFC 4254 section 5.4",
  "tcpip-forward": "RFC 4254 section 7.1",
  "tcpip-forward reply": "RFC 4254 section 7.1",
  "forwarded-tcpip": "RFC 4254 section 7.2",
  "direct-tcpip": "RFC 4254 section 7.2",
  "streamlocal-forward": "OpenSSH PROTOCOL section 2.4",
  "forwarded-streamlocal": "OpenSSH PROTOCOL section 2.4",
  "direct-streamlocal": "OpenSSH PROTOCOL section 2.4",
};

/** Returns the section that specifies a table, by the table's name. */
export function sectionOf(name: string): SpecificationSection | undefined {
  const text = sources[name];
  if (text === undefined) return undefined;
  const [document = "", section = ""] = text.split(" section ");
  const number = /^RFC (\d+)$/.exec(document)?.[1];
  if (number === undefined) return { document, section, url: protocol };
  return { document, section, url: `https://www.rfc-editor.org/rfc/rfc${number}#section-${section}` };
}
