/** What the transport machine tells. @module */
import type { Signer, Verdict } from "@postern/crypto";
import type { Bytes } from "@postern/wire";
import type { AlgorithmNames } from "./kex-step.ts";

/** What a transport machine has to tell. */
export type TransportEvent =
  /** a line that a server sent before its identification (RFC 4253 section 4.2), made printable; never empty */
  | { readonly type: "notice"; readonly message: string }
  /** the peer's identification, and what a server said before it */
  | { readonly type: "identified"; readonly version: string; readonly lines: readonly string[] }
  /** client: the verdict about the host's signature comes later; answer with `verified` */
  | { readonly type: "verify"; readonly verdict: Exclude<Verdict, boolean>; readonly algorithm: string }
  /** first exchange, client: the signature is good, the decision is open; answer with `acceptHostKey` */
  | { readonly type: "hostKey"; readonly hostKey: Bytes; readonly algorithm: string }
  /** server: answer with `signed` */
  | { readonly type: "sign"; readonly signer: Signer; readonly data: Bytes; readonly algorithm: string }
  /** new keys are in place in both directions */
  | { readonly type: "keys"; readonly first: boolean; readonly names: AlgorithmNames }
  /** our keys are new: data may be sent again */
  | { readonly type: "resumed" }
  | { readonly type: "extInfo"; readonly extensions: ReadonlyMap<string, Bytes> }
  /** a message for the layers above (view); `sequence` is for UNIMPLEMENTED */
  | { readonly type: "payload"; readonly payload: Bytes; readonly sequence: number }
  | { readonly type: "debug"; readonly message: string; readonly alwaysDisplay: boolean }
  /** the peer knows nothing of the message we sent with this sequence number */
  | { readonly type: "unimplemented"; readonly sequence: number }
  | { readonly type: "disconnect"; readonly reason: number; readonly description: string };
