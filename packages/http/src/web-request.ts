/** A Request of the web standard made of what a visitor sent. @module */
import type { RequestHead } from "./request-head.ts";
import { connectionFields } from "./response-head.ts";

/**
 * Makes the Request. Some runtimes are for those who send requests, not for those who get them: a browser drops fields such as Cookie and
 * Host, and not each takes a stream as the body. What is lost is put back on the object itself.
 */
export function makeRequest(
  head: RequestHead,
  url: string,
  body: ReadableStream<Uint8Array> | undefined,
  signal: AbortSignal,
): Request {
  const headers = new Headers();
  for (const [name, value] of head.fields) {
    // Fulfilled by the server, and of no use to a handler that passes the request on (RFC 9110 section 7.6.1).
    if (!connectionFields.has(name) && name !== "expect") headers.append(name, value);
  }
  const init: RequestInit & { duplex?: "half" } = { method: head.method, headers, signal };
  if (body !== undefined && streamsRequests(url)) {
    init.body = body;
    init.duplex = "half";
  }
  const request = new Request(url, init);
  if (!sameNames(request.headers, headers)) own(request, "headers", headers);
  if (body !== undefined && init.body === undefined) ownBody(request, body, headers);
  return request;
}

/** Where a stream is not known as a body it becomes a string, "[object ReadableStream]", which has a type. */
function streamsRequests(url: string): boolean {
  const init: RequestInit & { duplex: "half" } = { method: "POST", body: new ReadableStream(), duplex: "half" };
  try {
    return !new Request(url, init).headers.has("content-type");
  } catch {
    return false;
  }
}

function sameNames(have: Headers, want: Headers): boolean {
  for (const [name, value] of want) if (have.get(name) !== value && name !== "set-cookie") return false;
  return true;
}

/** A Response takes a stream in every runtime, and reads it in the same ways. */
function ownBody(request: Request, body: ReadableStream<Uint8Array>, headers: Headers): void {
  const type = headers.get("content-type");
  const reader = new Response(body, type === null ? {} : { headers: { "content-type": type } });
  Object.defineProperty(request, "body", { get: () => reader.body });
  Object.defineProperty(request, "bodyUsed", { get: () => reader.bodyUsed });
  for (const name of ["arrayBuffer", "blob", "formData", "json", "text"] as const) {
    own(request, name, () => reader[name]());
  }
  own(request, "bytes", async () => new Uint8Array(await reader.arrayBuffer()));
}

function own(request: Request, name: string, value: unknown): void {
  Object.defineProperty(request, name, { value, configurable: true });
}
