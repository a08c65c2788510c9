/** The picture of a fingerprint, as VisualHostKey shows it. @module */

/** The field of OpenSSH's key_fingerprint_randomart (sshkey.c). */
const width = 17;
const height = 9;
/** How often a place was visited; the last two mark the start and the end. */
const symbols = " .o+=*BOX@%&#/^SE";

/**
 * Draws a fingerprint: a walk over the field, two bits a step ("The drunken bishop: An analysis of the OpenSSH
 * fingerprint visualization algorithm", 2009).
 *
 * @param title such as `ED25519 256`
 * @param hash such as `SHA256`
 */
export function randomart(digest: Uint8Array, title: string, hash: string): string {
  const last = symbols.length - 1;
  const visits = new Uint8Array(width * height);
  let x = width >> 1;
  let y = height >> 1;
  const start = x + y * width;
  for (const byte of digest) {
    for (let shift = 0; shift < 8; shift += 2) {
      x = clamp(x + ((byte >> shift) & 1 ? 1 : -1), width);
      y = clamp(y + ((byte >> shift) & 2 ? 1 : -1), height);
      const at = x + y * width;
      visits[at] = Math.min((visits[at] ?? 0) + 1, last - 2);
    }
  }
  visits[start] = last - 1;
  visits[x + y * width] = last;
  const rows = Array.from({ length: height }, (_, row) =>
    Array.from(visits.subarray(row * width, (row + 1) * width), (count) => symbols[count]).join(""),
  );
  return [border(title), ...rows.map((row) => `|${row}|`), border(hash)].join("\n");
}

function clamp(value: number, size: number): number {
  return Math.max(0, Math.min(value, size - 1));
}

function border(label: string): string {
  const text = label.length + 2 > width ? `[${label.split(" ", 1).join("")}]` : `[${label}]`;
  const left = (width - text.length) >> 1;
  return `+${"-".repeat(left)}${text}${"-".repeat(width - text.length - left)}+`;
}
