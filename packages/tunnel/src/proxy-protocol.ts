/** The PROXY protocol: the visitor's address for the target (haproxy.org, proxy-protocol.txt). @module */
import { type Address, parseIp } from "@postern/ssh";
import { type Bytes, concat, utf8 } from "@postern/wire";
import type { ProxyProtocolVersion } from "./visitor-limits.ts";

/** Section 2.2. */
const signature = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
const versionAndCommand = 0x21;
const families = { unspecified: 0x00, tcp4: 0x11, tcp6: 0x21 };

/**
 * Returns the header that precedes the visitor's bytes. If the visitor's address is not an IP address, the header says
 * that it is unknown.
 *
 * @param origin the visitor's address, as the SSH server reports it
 * @param local where the visitor connected to. If its host is not an address of the visitor's family, such as
 *   `localhost`, the loopback or unspecified address of that family takes its place.
 */
export function proxyHeader(version: ProxyProtocolVersion, origin: Address, local: Address): Bytes {
  const source = parseIp(origin.host);
  const destination = source && localBytes(local.host, source.length);
  if (version === 1)
    return utf8(source && destination ? line(source, destination, origin, local) : "PROXY UNKNOWN\r\n");
  const body =
    source && destination
      ? Uint8Array.from([...source, ...destination, ...uint16(origin.port), ...uint16(local.port)])
      : new Uint8Array(0);
  const family = source === undefined ? "unspecified" : source.length === 4 ? "tcp4" : "tcp6";
  return concat(Uint8Array.from([...signature, versionAndCommand, families[family], ...uint16(body.length)]), body);
}

/** Section 2.1. */
function line(source: readonly number[], destination: readonly number[], origin: Address, local: Address): string {
  const family = source.length === 4 ? "TCP4" : "TCP6";
  return `PROXY ${family} ${text(source)} ${text(destination)} ${origin.port & 0xffff} ${local.port & 0xffff}\r\n`;
}

function localBytes(host: string, size: number): readonly number[] {
  const bytes = parseIp(host);
  if (bytes?.length === size) return bytes;
  const loopback = size === 4 ? [127, 0, 0, 1] : [...Array.from({ length: 15 }, () => 0), 1];
  return host === "localhost" || bytes?.[0] === 127 ? loopback : Array.from({ length: size }, () => 0);
}

function text(bytes: readonly number[]): string {
  if (bytes.length === 4) return bytes.join(".");
  return Array.from({ length: 8 }, (_, i) => (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16)).join(
    ":",
  );
}

function uint16(value: number): readonly number[] {
  return [(value >> 8) & 0xff, value & 0xff];
}
