/** What a visitor did wrong, and the status code that tells it so. @module */

/** Names of the status codes that are answered without the program, RFC 9110 section 15. */
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

/** A status code we answer with by ourselves. */
export type OwnStatus = keyof typeof phrases;

/** A request that is refused. It never leaves this folder: the visitor gets an answer, and its connection ends. */
export class Fault extends Error {
  readonly status: OwnStatus;

  /** `message` holds nothing of what the visitor sent. */
  constructor(status: OwnStatus, message: string) {
    super(message);
    this.status = status;
  }
}

/** An answer of our own, in plain text (ASCII). */
export function plainResponse(status: OwnStatus, why?: string): Response {
  const phrase = phrases[status];
  const text = why === undefined ? `${phrase}\n` : `${phrase}: ${why}\n`;
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
