/** TCP addresses. @module */

/** A host name or IP address, and a port. */
export interface Address {
  readonly host: string;
  readonly port: number;
}
