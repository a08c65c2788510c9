/** IP addresses as bytes. @module */

/**
 * Returns the 4 or 16 bytes of an IP address, or `undefined` for any other text. An IPv4-mapped IPv6 address (RFC 4291
 * section 2.5.5.2) yields the IPv4 address.
 */
export function parseIp(text: string): readonly number[] | undefined {
  if (!text.includes(":")) return parseIpv4(text);
  const [address = ""] = text.split("%", 1);
  const bytes = parseIpv6(address);
  const mapped = bytes?.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  return mapped ? bytes?.slice(12) : bytes;
}

function parseIpv4(text: string): readonly number[] | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255))
    return undefined;
  return parts.map(Number);
}

/** The text forms of RFC 4291 section 2.2. */
function parseIpv6(text: string): readonly number[] | undefined {
  const [left = "", right, surplus] = text.split("::");
  if (surplus !== undefined) return undefined;
  const head = groups(left);
  const tail = right === undefined ? [] : groups(right);
  if (head === undefined || tail === undefined) return undefined;
  const gap = 16 - head.length - tail.length;
  if (right === undefined ? gap !== 0 : gap < 2) return undefined;
  return [...head, ...Array.from({ length: gap }, () => 0), ...tail];
}

function groups(text: string): readonly number[] | undefined {
  if (text === "") return [];
  const bytes: number[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    const ipv4 = index === parts.length - 1 && part.includes(".") ? parseIpv4(part) : undefined;
    if (ipv4 !== undefined) bytes.push(...ipv4);
    else if (/^[0-9a-f]{1,4}$/i.test(part))
      bytes.push(Number.parseInt(part, 16) >> 8, Number.parseInt(part, 16) & 0xff);
    else return undefined;
  }
  return bytes;
}
