/** The content of a request: read from the visitor when the handler reads it, and not before. @module */
import { type Bytes, SshError } from "@postern/wire";
import { Fault } from "./fault.ts";
import type { ServeLimits } from "./options.ts";
import type { RequestHead } from "./request-head.ts";
import { pieceBytes } from "./request-machine.ts";
import { latin1 } from "./response-head.ts";
import { nextTurn, type Visitor } from "./visitor.ts";

/** milliseconds of small pieces until the event loop gets a turn */
const turnMs = 10;

/** The content of one request. */
export class RequestContent {
  /** undefined when the request has none */
  readonly stream: ReadableStream<Bytes> | undefined;
  /** resolves when the last byte has been read; never, if that does not come to pass */
  readonly whenRead: Promise<void>;
  readonly #visitor: Visitor;
  readonly #idleTimeoutMs: number;
  /** how long the visitor may still take; time during which nobody reads is not its fault and does not count */
  #leftMs: number;
  #turnAt = performance.now();
  #state: "waits for 100" | "coming" | "read" | "broken";
  #fault: Fault | undefined;
  #responding = false;
  #controller: ReadableStreamDefaultController<Bytes> | undefined;
  #reading: Promise<unknown> = Promise.resolve();
  #read: () => void = () => {};

  /** @param timeoutMs how long the visitor may take to send the content */
  constructor(
    visitor: Visitor,
    { framing, expectsContinue }: RequestHead,
    { idleTimeoutMs }: ServeLimits,
    timeoutMs: number,
  ) {
    this.#visitor = visitor;
    this.#leftMs = timeoutMs;
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#state = expectsContinue ? "waits for 100" : "coming";
    this.whenRead = new Promise((resolve) => {
      this.#read = resolve;
    });
    this.stream = framing.by === "length" && framing.length === 0 ? undefined : this.#open();
  }

  /** What is wrong with the content, as far as it has been read. */
  get fault(): Fault | undefined {
    return this.#fault;
  }

  /** RFC 9110 section 10.1.1: without our 100 nobody knows whether the content follows, so no request can follow it. */
  get canGoOn(): boolean {
    return this.#state === "coming" || this.#state === "read";
  }

  /** To be called first: where there is no content, its end is there already. */
  async begin(): Promise<void> {
    if (this.stream === undefined) await this.#next();
  }

  /** The response begins: 100 (Continue) would come too late. */
  responding(): void {
    this.#responding = true;
  }

  /** Reads what the handler left, so that the next request can be found. Gives whether it can. */
  async discard(limit: number): Promise<boolean> {
    this.end();
    await this.#reading;
    let left = limit;
    while (this.#state === "coming" && left > 0) left -= (await this.#next())?.length ?? 0;
    return this.#state === "read";
  }

  /** Whoever still reads the stream gets an error: the response is complete. */
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

  /** The next piece; undefined at the end, or when there will be none. Never rejects. */
  async #next(): Promise<Bytes | undefined> {
    if (this.#state === "waits for 100" && !this.#responding) {
      this.#state = "coming";
      // Not waited for: the answer to it is what is waited for.
      this.#visitor.write(latin1("HTTP/1.1 100 Continue\r\n\r\n"), this.#idleTimeoutMs).catch(() => {});
    }
    if (this.#state !== "coming") {
      this.end();
      return undefined;
    }
    const start = performance.now();
    const event = await this.#visitor.next(this.#leftMs, this.#idleTimeoutMs);
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
      this.#read();
    } else {
      this.#state = "broken";
      const late = event === "timeout";
      this.#fault = typeof event === "object" && event.type === "fault" ? event.fault : undefined;
      this.#fault ??= late
        ? new Fault(408, "expected the whole content in time")
        : new Fault(400, "the request is incomplete");
      const code = this.#fault.status === 413 ? "limit" : late ? "timeout" : "closed";
      this.#controller?.error(new SshError(code, this.#fault.message));
    }
    this.#controller = undefined;
    return undefined;
  }
}
