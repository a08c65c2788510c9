/** Requests that the service refuses, and the responses to them. @module */

/** Reason phrases of the status codes that the service sends itself (RFC 9110 section 15). */
const phrases = {
  400: "Bad Request",
  408: "Request Timeout",
  413: "Content Too Large",
  414: "URI Too Long",
  417: "Expectation Failed",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
} as const;

/** A status code that the service sends itself. */
export type ErrorStatus = keyof typeof phrases;

/** The reason for refusing a request. The visitor receives the status and the message; its connection is closed. */
export class HttpError extends Error {
  readonly status: ErrorStatus;

  /** @param message text for the visitor; must not contain input of the visitor */
  constructor(status: ErrorStatus, message: string) {
    super(message);
    this.status = status;
  }
}

/** Creates a response of the service itself. `reason` must be ASCII, because its length is counted in characters. */
export function errorResponse(status: ErrorStatus, reason?: string): Response {
  const phrase = phrases[status];
  const text = reason === undefined ? `${phrase}\n` : `${phrase}: ${reason}\n`;
  return new Response(text, {
    status,
    statusText: phrase,
    headers: {
      "content-length": String(text.length),
      "content-type": "text/plain; charset=utf-8",
      "x-content-type-options": "nosniff",
    },
  });
}
