/** Parses the head of a request: method, target, fields and content framing (RFC 9112 sections 2 to 6). @module */
import { HttpError } from "./http-error.ts";

/** How the content of a request is delimited (RFC 9112 section 6.3). */
export type RequestFraming = { readonly by: "length"; readonly length: number } | { readonly by: "chunked" };

/** A request without its content. */
export interface RequestHead {
  readonly method: string;
  /** The target URI (RFC 9112 section 3.3). `undefined` for the asterisk-form, which means the whole server. */
  readonly url: string | undefined;
  /** 0 for HTTP/1.0. Any later minor version counts as 1 (RFC 9110 section 2.5). */
  readonly minorVersion: 0 | 1;
  /** In the order received, with names in lower case. A `host` that an absolute target replaces comes last. */
  readonly fields: readonly Field[];
  /** How the content is delimited. A request without content has length 0. */
  readonly framing: RequestFraming;
  /** Whether the visitor keeps the connection alive (RFC 9112 section 9.3). */
  readonly keepAlive: boolean;
  /** Whether the visitor waits for 100 (Continue) before it sends content (RFC 9110 section 10.1.1). */
  readonly expectsContinue: boolean;
  /** Whether the visitor asks to speak WebSocket (RFC 6455 section 4.1). */
  readonly upgrades: boolean;
}
export type Field = readonly [name: string, value: string];

/** The first line of a request (RFC 9112 section 3). */
export type RequestLine = Pick<RequestHead, "method" | "minorVersion"> & { readonly target: string };

/** RFC 9110 section 5.6.2. */
export const token: RegExp = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** RFC 9110 section 5.5: visible characters, obs-text, space and tab. */
export const fieldContent: RegExp = /^[\t\x20-\x7e\x80-\xff]*$/;
// RFC 3986, and { } | ^ ` [ ], which browsers send. No fragment, and no backslash, which URL parsers read as a slash.
const targetCharacters = /^[!$-;=?-[\]-~]+$/;
// RFC 9110 section 7.2. Names have unreserved characters only (RFC 3986 section 2.3).
const hostValue = /^(?:\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._~-]+)(?::[0-9]{1,5})?$/;
const digits = /^[0-9]+$/;
const maxDigits = 15;

/** Parses the first line. @throws HttpError 400, 501, 505 */
export function parseRequestLine(line: string): RequestLine {
  const parts = line.split(" ");
  const [method = "", target = "", protocol = ""] = parts;
  const version = /^HTTP\/([0-9])\.([0-9])$/.exec(protocol);
  // Exactly one space between the parts (RFC 9112 section 3), because lenient parsing allows request smuggling.
  if (parts.length !== 3 || version === null) throw new HttpError(400, "expected a method, a target and a version");
  if (!token.test(method)) throw new HttpError(400, "the method has characters that are not allowed");
  if (version[1] !== "1") throw new HttpError(505, "expected HTTP/1.1 or HTTP/1.0");
  if (!targetCharacters.test(target)) throw new HttpError(400, "the target has characters that are not allowed");
  // A web-standard Request cannot have these methods, and the bytes after a CONNECT are not HTTP.
  const forbidden = /^(?:CONNECT|TRACE|TRACK)$/i.test(method);
  // Methods are case-sensitive (RFC 9110 section 9.1), but a Request converts these to upper case.
  const wrongCase = /^(?:DELETE|GET|HEAD|OPTIONS|POST|PUT)$/i.test(method) && method !== method.toUpperCase();
  if (forbidden || wrongCase) throw new HttpError(501, "the method is not supported");
  return { method, target, minorVersion: version[2] === "0" ? 0 : 1 };
}

/** Parses a field line (RFC 9112 section 5). @throws HttpError 400 */
export function parseField(line: string): Field {
  // Refuses obs-fold (RFC 9112 section 5.2) and whitespace before the first field (section 2.2).
  if (line.startsWith(" ") || line.startsWith("\t"))
    throw new HttpError(400, "expected each field on one line, got a folded one");
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(colon, 0));
  // A token contains no whitespace, so this also refuses whitespace before the colon (RFC 9112 section 5.1).
  if (!token.test(name)) throw new HttpError(400, "expected a field name and a colon");
  let start = colon + 1;
  let end = line.length;
  while (start < end && isBlank(line.charCodeAt(start))) start++;
  while (end > start && isBlank(line.charCodeAt(end - 1))) end--;
  const value = line.slice(start, end);
  if (!fieldContent.test(value)) throw new HttpError(400, "a field value has characters that are not allowed");
  return [name.toLowerCase(), value];
}

/** Creates a head. Refuses a request that two servers could read differently. @throws HttpError 400, 417, 501 */
export function createHead({ method, target, minorVersion }: RequestLine, fields: readonly Field[]): RequestHead {
  const valuesOf = (name: string): readonly string[] =>
    fields.flatMap((field) => (field[0] === name ? [field[1]] : []));
  const framing = framingOf(valuesOf("content-length"), valuesOf("transfer-encoding"), minorVersion);
  const connection = valuesOf("connection")
    .flatMap((value) => value.split(","))
    .map((option) => option.trim().toLowerCase());
  const keepAlive = !connection.includes("close") && (minorVersion === 1 || connection.includes("keep-alive"));
  const hasContent = framing.by === "chunked" || framing.length > 0;
  // Content of GET and HEAD has no meaning (RFC 9110 sections 9.3.1 and 9.3.2), and a Request cannot have it.
  if (hasContent && /^(?:GET|HEAD)$/.test(method)) throw new HttpError(400, "expected no content in this method");
  const expectations = valuesOf("expect").map((value) => value.toLowerCase());
  if (expectations.some((value) => value !== "100-continue"))
    throw new HttpError(417, "expected Expect to be 100-continue, got another expectation");
  const isWebSocket = valuesOf("upgrade").some((value) => /(?:^|,)[ \t]*websocket[ \t]*(?:,|$)/i.test(value));
  // A server may ignore an upgrade (RFC 9110 section 7.8), as for another method or version (RFC 6455 section 4.1).
  const upgrades = isWebSocket && connection.includes("upgrade") && method === "GET" && minorVersion === 1;
  const { url, authority } = locate(method, target, hostOf(valuesOf("host"), minorVersion));
  return {
    method,
    url,
    minorVersion,
    // The authority of a target in absolute-form replaces Host (RFC 9112 section 3.2.2).
    fields: authority === undefined ? fields : [...fields.filter(([name]) => name !== "host"), ["host", authority]],
    framing,
    keepAlive,
    // Ignored in HTTP/1.0 (RFC 9110 section 10.1.1).
    upgrades,
    expectsContinue: expectations.length > 0 && minorVersion === 1 && hasContent,
  };
}

/** Returns the framing (RFC 9112 section 6.3). Refuses every ambiguity, even those that a server may repair. */
function framingOf(lengths: readonly string[], codings: readonly string[], minorVersion: number): RequestFraming {
  if (codings.length > 0) {
    if (lengths.length > 0) throw new HttpError(400, "expected Content-Length or Transfer-Encoding, got both");
    if (minorVersion === 0) throw new HttpError(400, "expected no Transfer-Encoding in HTTP/1.0");
    const names = codings.flatMap((value) => value.split(",")).map((name) => name.trim().toLowerCase());
    if (names.length === 1 && names[0] === "chunked") return { by: "chunked" };
    const isValid = names.at(-1) === "chunked" && names.indexOf("chunked") === names.length - 1 && !names.includes("");
    // 501 for an unsupported coding (RFC 9112 section 6.1), 400 if chunked is not the last one (section 6.3).
    throw new HttpError(isValid ? 501 : 400, "expected chunked as the only transfer coding");
  }
  const [length] = lengths;
  if (length === undefined) return { by: "length", length: 0 };
  if (lengths.length > 1) throw new HttpError(400, "expected one Content-Length, got several");
  if (!digits.test(length)) throw new HttpError(400, "expected Content-Length to be a number");
  if (length.length > maxDigits) throw new HttpError(400, "Content-Length is too large");
  return { by: "length", length: Number(length) };
}

/** Returns Host, or `undefined` if it is empty or missing. HTTP/1.1 requires one (RFC 9112 section 3.2). */
function hostOf(hosts: readonly string[], minorVersion: number): string | undefined {
  const [host = ""] = hosts;
  if (hosts.length > 1 || (hosts.length === 0 && minorVersion === 1))
    throw new HttpError(400, `expected one Host, got ${hosts.length}`);
  if (host === "") return undefined;
  if (!hostValue.test(host))
    throw new HttpError(400, "expected Host to be a name or an address, with an optional port");
  return host;
}

/** Returns the target URI (RFC 9112 sections 3.2 and 3.3). */
function locate(
  method: string,
  target: string,
  host: string | undefined,
): { readonly url: string | undefined; readonly authority?: string } {
  if (target === "*" && method === "OPTIONS") return { url: undefined };
  if (target.startsWith("/")) return { url: checkUrl(`http://${host ?? "localhost"}${target}`) };
  const absolute = /^https?:\/\/([^/?]*)/i.exec(target);
  const authority = absolute?.[1] ?? "";
  if (!hostValue.test(authority)) throw new HttpError(400, "expected a target that is a path or an absolute URI");
  return { url: checkUrl(target), authority };
}

function checkUrl(url: string): string {
  try {
    return new URL(url).href;
  } catch {
    throw new HttpError(400, "expected target and Host to form a valid URI");
  }
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
