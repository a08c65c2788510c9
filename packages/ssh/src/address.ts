/** TCP addresses. @module */

/** A host name or IP address, and a port. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `host:port`, with brackets around an IPv6 address (RFC 3986 section 3.2.2). */
export function hostPort({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
