/** The forwardings that a client of a master names, as in `-L`, `-R` and `-D`. @module */

/** An end of a forwarding: a port, or the path of a UNIX socket. */
export type MuxEnd =
  | {
      /** `undefined` if the command line named none, `*` if it named all addresses */
      readonly host: string | undefined;
      readonly port: number;
    }
  | { readonly path: string };

/** A forwarding as the command line names it. Two of them are the same if all their fields are, as in ssh. */
export interface MuxForward {
  readonly type: "local" | "remote" | "dynamic";
  readonly listen: MuxEnd;
  /** `undefined` for a SOCKS proxy: always for `dynamic`, and for `remote` without an address to connect to */
  readonly connect: MuxEnd | undefined;
}

/** A forwarding that is open. */
export interface OpenedForward {
  /** the port that the server chose, for a remote forwarding of port 0 */
  readonly allocatedPort?: number | undefined;
  /** Frees the port, or the path. Open connections stay open. */
  close(): Promise<void>;
}

/** Whether two forwardings are the same. */
export function isSameForward(a: MuxForward, b: MuxForward): boolean {
  return a.type === b.type && isSameEnd(a.listen, b.listen) && isSameEnd(a.connect, b.connect);
}

/** Whether two forwardings need the same port or path: without an address, it is that of `localhost`. */
export function listensAtSame(a: MuxEnd, b: MuxEnd): boolean {
  const named = (end: MuxEnd): MuxEnd => ("path" in end ? end : { host: end.host ?? "localhost", port: end.port });
  return isSameEnd(named(a), named(b));
}

function isSameEnd(a: MuxEnd | undefined, b: MuxEnd | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if ("path" in a || "path" in b) return "path" in a && "path" in b && a.path === b.path;
  return a.host === b.host && a.port === b.port;
}

/** Describes a forwarding in the words of ssh, such as `local forward LOCALHOST:8080 -> db:5432`. */
export function describeForward({ type, listen, connect }: MuxForward): string {
  const target = type === "dynamic" ? "*" : describeEnd(connect);
  return `${type} forward ${describeEnd(listen)} -> ${target}`;
}

/** As ssh prints them: -2 stands for the port of a UNIX socket. */
function describeEnd(end: MuxEnd | undefined): string {
  if (end === undefined) return "socks:0";
  return "path" in end ? `${end.path}:-2` : `${end.host ?? "LOCALHOST"}:${end.port}`;
}
