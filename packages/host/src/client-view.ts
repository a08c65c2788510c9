/** Interfaces that the files of one client share: the client, its forwardings and its context. @module */
import type { PeerInfo } from "@postern/ssh";
import type { Admission } from "./admission.ts";
import type { CheckedHostOptions } from "./options.ts";
import type { Address, HostPlatform } from "./platform.ts";

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
  readonly since: Date;
  /** Bytes on the wire, received from and sent to the client. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly forwardings: readonly HostForwarding[];
  /** Number of open channels: visitors and `direct-tcpip` connections. */
  readonly channels: number;
  /** Disconnects the client. */
  close(): Promise<void>;
}

/** A port that the server listens on for a client. */
export interface HostForwarding {
  /** The address exactly as the client requested it. */
  readonly address: string;
  readonly port: number;
  /** The addresses that the server listens on. */
  readonly hosts: readonly string[];
  /** Number of visitors so far, and of those still connected. */
  readonly visitors: number;
  readonly open: number;
  /** Bytes received from and sent to visitors. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** The services of the TunnelHost that a client uses. */
export interface HostContext {
  readonly options: CheckedHostOptions;
  readonly platform: HostPlatform;
  readonly admission: Admission;
  emit(event: Event): void;
}
