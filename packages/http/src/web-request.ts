/** Creates a web-standard Request. @module */
import type { RequestHead } from "./request-head.ts";
import { connectionFields } from "./response-head.ts";

/**
 * Creates a Request from a head and a body. A client runtime may restrict Request: browsers drop fields such as Cookie
 * and Host, and some do not accept a stream as the body. Properties defined on the object itself restore these.
 */
export function createRequest(
  head: RequestHead,
  url: string,
  body: ReadableStream<Uint8Array> | undefined,
  signal: AbortSignal,
  upgrade = false,
): Request {
  const headers = new Headers();
  for (const [name, value] of head.fields) {
    // A handler that forwards the request must not pass on fields of this connection (RFC 9110 section 7.6.1).
    // A library that upgrades needs those of the upgrade.
    const isKept = upgrade && (name === "connection" || name === "upgrade");
    if (isKept || (!connectionFields.has(name) && name !== "expect")) headers.append(name, value);
  }
  const init: RequestInit & { duplex?: "half" } = { method: head.method, headers, signal };
  if (body !== undefined && canStreamBody(url)) {
    init.body = body;
    init.duplex = "half";
  }
  const request = new Request(url, init);
  if (!hasFields(request.headers, headers)) define(request, "headers", headers);
  if (body !== undefined && init.body === undefined) defineBody(request, body, headers);
  return request;
}

/** A runtime that does not accept streams converts them to a string, and sets its content type. */
function canStreamBody(url: string): boolean {
  const init: RequestInit & { duplex: "half" } = { method: "POST", body: new ReadableStream(), duplex: "half" };
  try {
    return !new Request(url, init).headers.has("content-type");
  } catch {
    return false;
  }
}

function hasFields(actual: Headers, expected: Headers): boolean {
  for (const [name, value] of expected) if (actual.get(name) !== value && name !== "set-cookie") return false;
  return true;
}

/** Reads the body through a Response, which accepts a stream in every runtime and has the same methods. */
function defineBody(request: Request, body: ReadableStream<Uint8Array>, headers: Headers): void {
  const type = headers.get("content-type");
  const reader = new Response(body, type === null ? {} : { headers: { "content-type": type } });
  Object.defineProperty(request, "body", { get: () => reader.body });
  Object.defineProperty(request, "bodyUsed", { get: () => reader.bodyUsed });
  for (const name of ["arrayBuffer", "blob", "formData", "json", "text"] as const) {
    define(request, name, () => reader[name]());
  }
  define(request, "bytes", async () => new Uint8Array(await reader.arrayBuffer()));
}

/** Replaces a property, also one that a runtime does not let a program set. */
export function define(request: Request, name: string, value: unknown): void {
  Object.defineProperty(request, name, { value, configurable: true });
}
