/** Bytes: joining, comparing, text and hexadecimal. @module */

import { expectType } from "./checks.ts";

/** The one byte type of the project. */
export type Bytes = Uint8Array;

const encoder = /* @__PURE__ */ new TextEncoder();
const decoder = /* @__PURE__ */ new TextDecoder("utf-8", { ignoreBOM: true });

/** Encodes a string as UTF-8. @throws SshError `misuse` for another value, which TextEncoder would convert: `null` to "null" */
export function utf8(value: string): Bytes {
  expectType("a text to encode", value, "string");
  return encoder.encode(value);
}

/** Decodes UTF-8; a malformed sequence becomes U+FFFD, as peers send names and notices in any charset. */
export function fromUtf8(bytes: Bytes): string {
  return decoder.decode(bytes);
}

/** Joins the parts into a new array (copies). */
export function concat(...parts: readonly Bytes[]): Bytes {
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

/** Compares in a time that depends on the lengths alone, so it is fit for secrets. */
export function equal(a: Bytes, b: Bytes): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}

/** Lower-case hexadecimal, two digits a byte. */
export function toHex(bytes: Bytes): string {
  let hex = "";
  for (const byte of bytes) hex += byte.toString(16).padStart(2, "0");
  return hex;
}

/**
 * Reads hexadecimal of even length; white space is not allowed.
 * @throws RangeError when the text is something else
 */
export function fromHex(hex: string): Bytes {
  if (!/^(?:[0-9a-f]{2})*$/i.test(hex)) throw new RangeError("expected pairs of hexadecimal digits");
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** Base64 of RFC 4648 section 4, with padding. */
export function toBase64(bytes: Bytes): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/**
 * Reads base64 of RFC 4648 section 4, with or without padding.
 * @throws RangeError when the text is something else
 */
export function fromBase64(text: string): Bytes {
  // Every repetition is anchored and ends at a character that cannot be part of it, so time is linear in the length.
  const [, data = "", padding = ""] = /^([A-Za-z0-9+/]*)(={0,2})$/.exec(text) ?? [];
  const isWhole = data.length + padding.length === text.length && data.length % 4 !== 1;
  if (!isWhole || (padding !== "" && text.length % 4 !== 0)) throw new RangeError("expected base64");
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** Control and format characters (bidi, zero width), separators, lone surrogates, private and unassigned code points, and all that leaves no mark. */
const unprintable = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/**
 * Makes a peer's text safe to print: every code point that moves the cursor, reorders the text or leaves no mark becomes `\u{…}`.
 * `multiline` keeps LF and tab, for texts that may have several lines, and reads CR LF as LF.
 */
export function sanitizeText(text: string, multiline = false): string {
  const lines = multiline ? text.replaceAll("\r\n", "\n") : text;
  return lines.replace(unprintable, (char) =>
    multiline && (char === "\n" || char === "\t") ? char : `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/** Quotes a peer's text for an error message: {@link sanitizeText}, and at most `limit` characters of the text. */
export function quote(text: string, limit = 120): string {
  return `"${sanitizeText(text.slice(0, limit))}${text.length > limit ? "…" : ""}"`;
}
