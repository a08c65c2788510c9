/** A client and its forwardings, as programs see them. @module */
import type { PeerInfo } from "@postern/ssh";
import type { HostLogin } from "./login-identity.ts";
import type { Address } from "./platform.ts";

/** A connected client. */
export interface HostClient {
  readonly id: number;
  /** The client's address. `undefined` if the pipe was served without an `origin`. */
  readonly origin: Address | undefined;
  /** `undefined` before login. Unprintable characters are escaped as `\u{…}`; only `authorize` gets the exact name. */
  readonly user: string | undefined;
  /** The client's identification line, or `""` before login. */
  readonly version: string;
  /** The client's version and the negotiated algorithms. `undefined` before login. */
  readonly peer: PeerInfo | undefined;
  /** How the client logged in. `undefined` before login. */
  readonly login: HostLogin | undefined;
  readonly since: Date;
  /** Bytes on the wire, received from and sent to the client. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly forwardings: readonly HostForwarding[];
  /** Number of open channels: visitors and `direct-tcpip` connections. */
  readonly channels: number;
  /** Number of key exchanges after the first. */
  readonly rekeys: number;
  /** Exchanges new keys now (RFC 4253 section 9). Does nothing before login. */
  rekey(): void;
  /** Disconnects the client. */
  close(): Promise<void>;
}

/** A port or UNIX socket that the server listens on for a client. */
export interface HostForwarding {
  /** The address exactly as the client requested it, or the path of a UNIX socket. */
  readonly address: string;
  /** 0 for a UNIX socket. */
  readonly port: number;
  /** The path of a UNIX socket. `undefined` for a port. */
  readonly path: string | undefined;
  /** The URL that the option `url` returned. */
  readonly url: string | undefined;
  /** The addresses that the server listens on. */
  readonly hosts: readonly string[];
  /** Number of visitors so far, and of those still connected. */
  readonly visitors: number;
  readonly open: number;
  /** Bytes received from and sent to visitors. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}
