/** Forwardings in the messages of PROTOCOL.mux, sections 6 and 7. @module */
import { SshError } from "@postern/wire";
import type { MuxEnd, MuxForward } from "./forward.ts";
import type { MuxForwardFields } from "./messages.ts";

/** The port that marks a path: -2. */
const pathPort = 0xffff_fffe;
/** The codes of the forwarding types, section 11. */
const codes = { local: 1, remote: 2, dynamic: 3 } as const;
/** The address that ssh sends for a SOCKS proxy. */
const socks = { host: "socks", port: 0 } as const;

/** Returns the fields of a message for a forwarding. */
export function encodeForward({ type, listen, connect }: MuxForward): MuxForwardFields {
  const [listenHost, listenPort] = encodeEnd(listen);
  const [connectHost, connectPort] = encodeEnd(connect ?? socks);
  return { forwardingType: codes[type], listenHost, listenPort, connectHost, connectPort };
}

/**
 * Returns the forwarding of a message, or `undefined` for one that makes no sense, such as a SOCKS proxy at a path.
 * @throws SshError `protocol` for a port above 65535
 */
export function decodeForward(fields: MuxForwardFields): MuxForward | undefined {
  const { forwardingType, listenHost, listenPort, connectHost, connectPort } = fields;
  for (const port of [listenPort, connectPort]) {
    if (port > 65_535 && port !== pathPort) throw new SshError("protocol", `expected a port, got ${port}`);
  }
  const listen = decodeEnd(listenHost, listenPort);
  const connect = decodeEnd(connectHost, connectPort);
  if (isEmpty(listen)) return undefined;
  switch (forwardingType) {
    case codes.dynamic:
      return "path" in listen ? undefined : { type: "dynamic", listen, connect: undefined };
    case codes.remote:
      if (connectHost === "") return undefined;
      return { type: "remote", listen, connect: connectPort === 0 ? undefined : connect };
    case codes.local:
      if (connectHost === "" || connectPort === 0) return undefined;
      return { type: "local", listen, connect };
    default:
      return undefined;
  }
}

function encodeEnd(end: MuxEnd): readonly [string, number] {
  return "path" in end ? [end.path, pathPort] : [end.host ?? "", end.port];
}

function decodeEnd(host: string, port: number): MuxEnd {
  return port === pathPort ? { path: host } : { host: host === "" ? undefined : host, port };
}

/** A path of no characters would name the abstract namespace, or the current folder. */
function isEmpty(end: MuxEnd): boolean {
  return "path" in end && end.path === "";
}
