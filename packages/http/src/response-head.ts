/** The head of a response (RFC 9112 sections 4 to 6): Response -> status line, fields, framing of content. @module */
import { type Bytes, describeType, quote, SshError } from "@postern/wire";
import { fieldContent, token } from "./request-head.ts";

/** How the content of a response is delimited (RFC 9112 section 6.3). */
export type ResponseFraming =
  | { readonly by: "nothing" }
  | { readonly by: "length"; readonly length: number }
  | { readonly by: "chunked" }
  /** For HTTP/1.0, which has no chunked coding. */
  | { readonly by: "close" };

/** The request and connection that a response belongs to. */
export interface ResponseContext {
  /** `undefined` if the request is invalid. */
  readonly method: string | undefined;
  readonly minorVersion: 0 | 1;
  /** Whether visitor and service would keep the connection alive. */
  readonly keepAlive: boolean;
  /** The announced time limit for the next request. */
  readonly keepAliveTimeoutMs: number;
  readonly date: Date;
}

/** An encoded head and the framing of the content after it. */
export interface ResponseHead {
  readonly bytes: Bytes;
  readonly framing: ResponseFraming;
  readonly keepAlive: boolean;
}

/** Fields that apply to one connection only (RFC 9110 section 7.6.1). The service writes its own. */
export const connectionFields: ReadonlySet<string> = /* @__PURE__ */ new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const fetchCodings: ReadonlySet<string> = /* @__PURE__ */ new Set(["gzip", "x-gzip", "deflate", "br"]);

/**
 * Encodes the head of a response.
 *
 * @throws SshError `misuse` if it is not a Response, is invalid, or its body is in use
 */
export function encodeResponseHead(response: Response, context: ResponseContext): ResponseHead {
  checkResponse(response);
  const { status, headers, body } = response;
  const head = context.method === "HEAD";
  // RFC 9112 section 6.3, RFC 9110 sections 15.3.5 and 15.4.5
  const empty = head || status === 204 || status === 304;
  const decoded = wasDecoded(response);
  const length = decoded ? undefined : contentLength(headers);
  let framing: ResponseFraming;
  if (empty || body === null) framing = { by: "nothing" };
  else if (length !== undefined) framing = { by: "length", length };
  else framing = { by: context.minorVersion === 1 ? "chunked" : "close" };
  const wantsClose = /(?:^|,)[ \t]*close[ \t]*(?:,|$)/i.test(headers.get("connection") ?? "");
  const keepAlive = context.keepAlive && !wantsClose && framing.by !== "close";

  let text = `HTTP/1.1 ${status} ${fieldContent.test(response.statusText) ? response.statusText : ""}\r\n`;
  const add = (name: string, value: string | number): void => {
    text += `${name}: ${value}\r\n`;
  };
  for (const [name, value] of headers) {
    if (connectionFields.has(name.toLowerCase()) || name.toLowerCase() === "content-length") continue;
    if (decoded && name.toLowerCase() === "content-encoding") continue;
    if (!token.test(name) || !fieldContent.test(value))
      throw new SshError("misuse", `expected a response with valid fields, got an invalid field ${quote(name, 64)}`);
    add(name, value);
  }
  // RFC 9110 section 6.6.1
  if (!headers.has("date")) add("date", context.date.toUTCString());
  // RFC 9110 section 8.6: no length with 204; with HEAD and 304, the length that the body would have, if it is known.
  if (framing.by === "chunked") add("transfer-encoding", "chunked");
  else if (framing.by === "length") add("content-length", framing.length);
  else if ((head || status === 304) && length !== undefined) add("content-length", length);
  else if (!empty && framing.by === "nothing") add("content-length", 0);
  if (!keepAlive) add("connection", "close");
  else {
    add("connection", "keep-alive");
    add("keep-alive", `timeout=${Math.floor(context.keepAliveTimeoutMs / 1000)}`);
  }
  return { bytes: latin1(`${text}\r\n`), framing, keepAlive };
}

/** Checks the shape and not the class, because a program may use a Response class of its own. */
function checkResponse(response: Response): void {
  const { status, headers, body } = (response ?? {}) as Partial<Response>;
  if (typeof headers?.get !== "function" || typeof status !== "number" || body === undefined) {
    throw new SshError("misuse", `expected the handler to return a Response, got ${describeType(response)}`);
  }
  // Response.error() has status 0. 101 is an upgrade, which is not supported.
  if (!(status >= 200 && status <= 599))
    throw new SshError("misuse", `expected a status from 200 to 599, got ${status}`);
  if (response.bodyUsed || body?.locked)
    throw new SshError("misuse", "expected a Response with an unused body, got one that was read or is locked");
}

/**
 * Whether `fetch` decoded the body. It keeps the fields of the encoded body (Fetch section 4.6), which no longer match.
 * Only a fetched Response has a URL. `zstd` is not listed, because only some runtimes decode it.
 */
function wasDecoded({ url, headers }: Response): boolean {
  const codings = headers.get("content-encoding")?.split(",") ?? [];
  return Boolean(url) && codings.length > 0 && codings.every((coding) => fetchCodings.has(coding.trim().toLowerCase()));
}

function contentLength(headers: Headers): number | undefined {
  const value = headers.get("content-length");
  return value !== null && /^[0-9]{1,15}$/.test(value) ? Number(value) : undefined;
}

/** Encodes each character as one byte, as in field values. */
export function latin1(text: string): Bytes {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}
