/**
 * The type-specific parts of the requests and channel opens that forward connections: RFC 4254 section 7 for TCP, and
 * OpenSSH's PROTOCOL for UNIX sockets.
 * @module
 */
import { record, string, text, uint32 } from "../codec.ts";

/** RFC 4254 section 7.1: `tcpip-forward` and `cancel-tcpip-forward` requests */
export const TcpipForward = record("tcpip-forward", { address: text, port: uint32 });
/** RFC 4254 section 7.1: the REQUEST_SUCCESS, only if port 0 was requested */
export const TcpipForwardReply = record("tcpip-forward reply", { port: uint32 });
/** RFC 4254 section 7.2: the channel open */
export const ForwardedTcpip = record("forwarded-tcpip", {
  address: text,
  port: uint32,
  originAddress: text,
  originPort: uint32,
});
/** RFC 4254 section 7.2: the channel open */
export const DirectTcpip = record("direct-tcpip", {
  host: text,
  port: uint32,
  originAddress: text,
  originPort: uint32,
});

/** OpenSSH PROTOCOL section 2.4: `streamlocal-forward@openssh.com` and `cancel-streamlocal-forward@openssh.com` */
export const StreamlocalForward = record("streamlocal-forward", { path: text });
/** OpenSSH PROTOCOL section 2.4: the channel open. `reserved` is empty; a receiver ignores it. */
export const ForwardedStreamlocal = record("forwarded-streamlocal", { path: text, reserved: string });
/** OpenSSH PROTOCOL section 2.4: the channel open. The reserved fields are empty and 0; a receiver ignores them. */
export const DirectStreamlocal = record("direct-streamlocal", {
  path: text,
  reserved: string,
  reservedNumber: uint32,
});
