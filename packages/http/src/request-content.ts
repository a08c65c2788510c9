/** The content of a request, read from the visitor only when the handler reads it. @module */
import { type Deferred, deferred } from "@postern/ssh";
import { type Bytes, SshError } from "@postern/wire";
import { type HttpConnection, nextTurn } from "./http-connection.ts";
import { HttpError } from "./http-error.ts";
import type { ServeLimits } from "./options.ts";
import type { RequestHead } from "./request-head.ts";
import { pieceBytes } from "./request-machine.ts";
import { latin1 } from "./response-head.ts";

/** Milliseconds of small pieces before yielding to the event loop: each may stand for hundreds of parsed chunks. */
const turnMs = 10;

/** The content of one request. */
export class RequestContent {
  /** The error in the content read so far. */
  error: HttpError | undefined;
  /** `undefined` if the request has no content. */
  readonly stream: ReadableStream<Bytes> | undefined;
  /** Resolves when the last byte has been read. Stays pending if that never happens. */
  readonly whenRead: Deferred = deferred();
  readonly #connection: HttpConnection;
  readonly #idleTimeoutMs: number;
  /** The rest of the time limit. It only runs while the handler reads. */
  #leftMs: number;
  #turnAt = performance.now();
  #state: "waits for 100" | "coming" | "read" | "failed";
  #responding = false;
  #controller: ReadableStreamDefaultController<Bytes> | undefined;
  #reading: Promise<unknown> = Promise.resolve();

  /** @param timeoutMs time limit for receiving the content */
  constructor(
    connection: HttpConnection,
    { framing, expectsContinue }: RequestHead,
    { idleTimeoutMs }: ServeLimits,
    timeoutMs: number,
  ) {
    this.#connection = connection;
    this.#leftMs = timeoutMs;
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#state = expectsContinue ? "waits for 100" : "coming";
    this.stream = framing.by === "length" && framing.length === 0 ? undefined : this.#open();
  }

  /** `false` without our 100 (Continue): it is unknown whether content follows (RFC 9110 section 10.1.1). */
  get canKeepAlive(): boolean {
    return this.#state === "coming" || this.#state === "read";
  }

  /** Call first: consumes the end of a request without content. */
  async begin(): Promise<void> {
    if (this.stream === undefined) await this.#next();
  }

  /** Call when the response begins: no 100 (Continue) may be sent from then on. */
  responding(): void {
    this.#responding = true;
  }

  /** Reads up to `limit` bytes that the handler left unread. Resolves with whether that completes the content. */
  async discard(limit: number): Promise<boolean> {
    this.end();
    await this.#reading;
    let left = limit;
    while (this.#state === "coming" && left > 0) left -= (await this.#next())?.length ?? 0;
    return this.#state === "read";
  }

  /** Errors the stream, because the response is complete. */
  end(): void {
    this.#controller?.error(new SshError("closed", "expected the content to be read before the response was complete"));
    this.#controller = undefined;
  }

  #open(): ReadableStream<Bytes> {
    return new ReadableStream<Bytes>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: async () => {
          const next = this.#next();
          this.#reading = next;
          const data = await next;
          if (data !== undefined) this.#controller?.enqueue(data);
        },
        cancel: () => {
          this.#controller = undefined;
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** Reads the next piece. Resolves with `undefined` at the end or after an error. Never rejects. */
  async #next(): Promise<Bytes | undefined> {
    if (this.#state === "waits for 100" && !this.#responding) {
      this.#state = "coming";
      // Not awaited: the visitor answers it with content, which is awaited below.
      this.#connection.write(latin1("HTTP/1.1 100 Continue\r\n\r\n"), this.#idleTimeoutMs).catch(() => {});
    }
    if (this.#state !== "coming") {
      this.end();
      return undefined;
    }
    const start = performance.now();
    const event = await this.#connection.next(this.#leftMs, this.#idleTimeoutMs);
    this.#leftMs -= performance.now() - start;
    if (typeof event === "object" && event.type === "data") {
      if (event.data.length < pieceBytes && performance.now() - this.#turnAt > turnMs) {
        await nextTurn();
        this.#turnAt = performance.now();
      }
      return event.data;
    }
    if (typeof event === "object" && event.type === "end") {
      this.#state = "read";
      this.#controller?.close();
      this.whenRead.resolve();
    } else {
      this.#state = "failed";
      const isLate = event === "timeout";
      this.error = typeof event === "object" && event.type === "error" ? event.error : undefined;
      this.error ??= isLate
        ? new HttpError(408, "expected the whole content in time")
        : new HttpError(400, "the request is incomplete");
      const code = this.error.status === 413 ? "limit" : isLate ? "timeout" : "closed";
      this.#controller?.error(new SshError(code, this.error.message));
    }
    this.#controller = undefined;
    return undefined;
  }
}
