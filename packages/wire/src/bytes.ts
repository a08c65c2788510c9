/** Bytes: concatenation, comparison, text, hexadecimal and base64. @module */
import { expectType } from "./checks.ts";

/** Bytes as functions accept them, such as a Node.js `Buffer`. */
export type Bytes = Uint8Array;

/**
 * Bytes as programs receive them. `Blob`, WebCrypto and text streams require an ArrayBuffer.
 * Equals `Uint8Array<ArrayBuffer>`, a type that exists since TypeScript 5.7.
 */
export type ArrayBufferBytes = ReturnType<Uint8Array["slice"]>;

const encoder = /* @__PURE__ */ new TextEncoder();
const decoder = /* @__PURE__ */ new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Encodes a string as UTF-8.
 * @throws SshError `misuse` for any other value, which TextEncoder would convert: `null` to "null"
 */
export function utf8(value: string): ArrayBufferBytes {
  expectType("a text to encode", value, "string");
  return encoder.encode(value);
}

/** Decodes UTF-8. Malformed sequences become U+FFFD, because peers send names and notices in any charset. */
export function fromUtf8(bytes: Bytes): string {
  return decoder.decode(bytes);
}

/** Concatenates the parts into a new array (copies). */
export function concat(...parts: readonly Bytes[]): ArrayBufferBytes {
  let size = 0;
  for (const part of parts) size += part.length;
  const joined = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Compares in constant time for a given length, so it may be used for secrets. */
export function equal(a: Bytes, b: Bytes): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}

/** Encodes as lower-case hexadecimal, two digits per byte. */
export function toHex(bytes: Bytes): string {
  let hex = "";
  for (const byte of bytes) hex += byte.toString(16).padStart(2, "0");
  return hex;
}

/** Decodes hexadecimal without white space. @throws RangeError for any other text */
export function fromHex(hex: string): ArrayBufferBytes {
  if (!/^(?:[0-9a-f]{2})*$/i.test(hex)) throw new RangeError("expected pairs of hexadecimal digits");
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** Encodes as base64 with padding (RFC 4648 section 4). */
export function toBase64(bytes: Bytes): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** Decodes base64 with or without padding (RFC 4648 section 4). @throws RangeError for any other text */
export function fromBase64(text: string): ArrayBufferBytes {
  // Each repetition ends at a character outside its own class, so the time is linear in the length.
  const [, data = "", padding = ""] = /^([A-Za-z0-9+/]*)(={0,2})$/.exec(text) ?? [];
  const isWhole = data.length + padding.length === text.length && data.length % 4 !== 1;
  if (!isWhole || (padding !== "" && text.length % 4 !== 0)) throw new RangeError("expected base64");
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/**
 * Control and format characters (bidi, zero width), line separators, lone surrogates, private and unassigned code
 * points, and other invisible characters.
 */
const unprintable = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/**
 * Escapes a peer's text for printing: code points that move the cursor, reorder the text or are invisible become
 * `\u{…}`. With `multiline`, LF and tab are kept, and CR LF becomes LF.
 */
export function sanitizeText(text: string, multiline = false): string {
  const lines = multiline ? text.replaceAll("\r\n", "\n") : text;
  return lines.replace(unprintable, (char) =>
    multiline && (char === "\n" || char === "\t") ? char : `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/** Quotes at most `limit` characters of a peer's text for an error message, escaped by {@link sanitizeText}. */
export function quote(text: string, limit = 120): string {
  // Joined, because V8 would keep the whole text with a slice of it.
  return `"${Array.from(sanitizeText(text.slice(0, limit))).join("")}${text.length > limit ? "…" : ""}"`;
}
