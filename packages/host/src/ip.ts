/** Sources, networks, and pattern lists: ssh_config(5), PATTERNS. @module */
import { matchPattern } from "@postern/keys";
import { parseIp } from "@postern/ssh";
import { quote, SshError } from "@postern/wire";

/** How many bits of an address make a source. */
export interface SourceBits {
  readonly ipv4: number;
  readonly ipv6: number;
}

/** An IPv4 address alone; an IPv6 network of 64 bits, because a single client has as many addresses. */
export const defaultSourceBits: SourceBits = { ipv4: 32, ipv6: 64 };

/** Returns the source that limits apply to: the network that an address is in. */
export function sourceOf(host: string, { ipv4, ipv6 }: SourceBits = defaultSourceBits): string {
  const bytes = parseIp(host);
  if (bytes === undefined) return host;
  const bits = bytes.length === 4 ? ipv4 : ipv6;
  return `${bytes.map((byte, index) => masked(byte, index, bits)).join(".")}/${bits}`;
}

/** Returns an IPv4-mapped IPv6 address as IPv4, and any other text unchanged. */
export function plainIp(host: string): string {
  const bytes = host.includes(":") ? parseIp(host) : undefined;
  return bytes?.length === 4 ? bytes.join(".") : host;
}

/** A list of addresses, networks (`192.0.2.0/24`) and patterns, as in `from="…"` of sshd(8). A leading `!` excludes. */
export class AddressList {
  readonly #entries: readonly { readonly excludes: boolean; readonly matches: (host: string) => boolean }[];

  /**
   * @param addressesOnly accepts only addresses and networks, as `source-address` of certificates does
   * @throws SshError `key` if an entry is empty, or a network has bits beyond its mask
   */
  constructor(list: string, addressesOnly = false) {
    this.#entries = list.split(",").map((entry) => {
      if (addressesOnly && parseIp(entry.replace(/\/\d{1,3}$/, "")) === undefined) {
        throw new SshError("key", `expected an address or a network, got ${quote(entry, 64)}`);
      }
      const excludes = entry.startsWith("!");
      return { excludes, matches: matcher(excludes ? entry.slice(1) : entry) };
    });
  }

  /** Whether the list has the address and does not exclude it. */
  includes(host: string): boolean {
    const matching = this.#entries.filter(({ matches }) => matches(host));
    return matching.length > 0 && !matching.some(({ excludes }) => excludes);
  }
}

function matcher(entry: string): (host: string) => boolean {
  const expected = "expected an address, a network or a pattern";
  if (entry === "") throw new SshError("key", `${expected}, got nothing`);
  const [, address = entry, mask] = /^(.*)\/(\d{1,3})$/.exec(entry) ?? [];
  const network = parseIp(address);
  if (network === undefined) {
    const pattern = entry.toLowerCase();
    return (host) => matchPattern(host.toLowerCase(), pattern);
  }
  const bits = mask === undefined ? 8 * network.length : Number(mask);
  const hostBits = network.some((byte, i) => byte !== masked(byte, i, bits));
  if (bits > 8 * network.length || hostBits)
    throw new SshError("key", `${expected}, got a network with bits beyond its mask`);
  return (host) => {
    const bytes = parseIp(host);
    return bytes?.length === network.length && bytes.every((byte, i) => masked(byte, i, bits) === network[i]);
  };
}

function masked(byte: number, index: number, bits: number): number {
  const kept = Math.min(8, Math.max(0, bits - 8 * index));
  return byte & (0xff00 >> kept) & 0xff;
}
