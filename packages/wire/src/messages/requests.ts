/** The type-specific parts of the requests and channel opens of RFC 4254 section 7. @module */
import { record, text, uint32 } from "../codec.ts";

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
