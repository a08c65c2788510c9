/** What the layers above the transport send through; they never see the transport itself. @module */
import type { Bytes } from "./bytes.ts";

/** Where payloads go. */
export interface PayloadSink {
  /** whether user data may be sent now; control messages may always */
  readonly writable: boolean;
  /**
   * Sends one payload, in up to two parts (copies), so that user data is copied once. `onSent` gets the sequence number of its packet, now or, after a
   * key exchange, later: the peer's UNIMPLEMENTED names it (RFC 4253 section 11.4).
   */
  send(head: Bytes, body?: Bytes, onSent?: (sequence: number) => void): void;
}
