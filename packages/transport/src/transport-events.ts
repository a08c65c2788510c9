/** The events of the transport machine. @module */
import type { Signer, Verdict } from "@postern/crypto";
import type { Bytes } from "@postern/wire";
import type { AlgorithmNames, Preferred } from "./negotiate.ts";

/** An event of a transport machine. */
export type TransportEvent =
  /** a line that a server sent before its identification (RFC 4253 section 4.2), made printable; never empty */
  | { readonly type: "notice"; readonly message: string }
  /** the peer's identification line; `lines` are the lines that a server sent before it */
  | { readonly type: "identified"; readonly version: string; readonly lines: readonly string[] }
  /** client: the host key signature is verified asynchronously; await `verdict`, then call `verified` */
  | { readonly type: "verify"; readonly verdict: Exclude<Verdict, boolean>; readonly algorithm: string }
  /** client, first exchange: the signature is valid; call `acceptHostKey`, or disconnect */
  | { readonly type: "hostKey"; readonly hostKey: Bytes; readonly algorithm: string }
  /** server: sign the exchange hash `data`, then call `signed` */
  | { readonly type: "sign"; readonly signer: Signer; readonly data: Bytes; readonly algorithm: string }
  /** our NEWKEYS is sent: data may be sent again */
  | { readonly type: "resumed" }
  /** the peer's NEWKEYS has arrived: both directions use the new keys */
  | {
      readonly type: "keys";
      readonly first: boolean;
      readonly names: AlgorithmNames;
      readonly preferred: Preferred;
    }
  | { readonly type: "extInfo"; readonly extensions: ReadonlyMap<string, Bytes> }
  /** a message for the layers above (view); `sequence` is the number to send in UNIMPLEMENTED */
  | { readonly type: "payload"; readonly payload: Bytes; readonly sequence: number }
  | { readonly type: "debug"; readonly message: string; readonly alwaysDisplay: boolean }
  /** the peer does not know the message that we sent with this sequence number */
  | { readonly type: "unimplemented"; readonly sequence: number }
  | { readonly type: "disconnect"; readonly reason: number; readonly description: string };

/** The events of a key exchange. */
export type KexEvent = Extract<TransportEvent, { readonly type: "verify" | "hostKey" | "sign" | "resumed" | "keys" }>;
