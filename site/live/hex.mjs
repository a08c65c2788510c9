/** Bytes as text: hexadecimal, and a dump with offsets. @module */
import { make } from "./dom.mjs";

const rowSize = 16;
/** More rows are left out. */
const maxRows = 256;

export function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A dump in rows of 16 bytes: offset, bytes, text. The byte at `marked` is highlighted. */
export function dump(bytes, label, marked) {
  const block = make("pre", { tabindex: 0, role: "region", "aria-label": label, class: "dump" });
  if (bytes.length === 0) block.append("no bytes");
  const rows = Math.ceil(bytes.length / rowSize);
  for (let row = 0; row < Math.min(rows, maxRows); row++) {
    const at = row * rowSize;
    const part = bytes.subarray(at, at + rowSize);
    block.append(`${at.toString(16).padStart(4, "0")}  `);
    for (const [index, byte] of part.entries()) {
      const digits = byte.toString(16).padStart(2, "0");
      block.append(at + index === marked ? make("mark", {}, digits) : digits, index === 7 ? "  " : " ");
    }
    // The middle gap belongs to the first half.
    const gap = 3 * (rowSize - part.length) + (part.length < 8 ? 1 : 0);
    block.append(`${" ".repeat(gap)} ${printable(part)}\n`);
  }
  if (rows > maxRows) block.append(`${bytes.length - maxRows * rowSize} more bytes\n`);
  return block;
}

/** Text if all bytes are printable ASCII, otherwise hexadecimal. */
export function textOrHex(bytes) {
  if (bytes.length === 0) return "(empty)";
  const text = printable(bytes);
  return bytes.every((byte) => byte >= 0x20 && byte < 0x7f) ? text : hex(bytes);
}

function printable(bytes) {
  return Array.from(bytes, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
}
