/** Statistics of a forwarding. @module */

/** Statistics of a forwarding since it was created. */
export interface ForwardingStats {
  /** visitors that were accepted, including those of `open` */
  readonly accepted: number;
  /** connections that are open now */
  readonly open: number;
  /** visitors that were refused */
  readonly refused: number;
  /** bytes that visitors sent */
  readonly bytesIn: number;
  /** bytes that were sent to visitors */
  readonly bytesOut: number;
  /** how often a write had to wait for the server's window */
  readonly stalls: number;
}
