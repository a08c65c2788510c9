/** One request and its response. @module */
import { type Bytes, concat, SshError } from "@postern/wire";
import { type Fault, plainResponse } from "./fault.ts";
import type { ServeLimits } from "./options.ts";
import { RequestContent } from "./request-content.ts";
import type { RequestHead } from "./request-head.ts";
import { latin1, makeResponseHead, type ResponseContext, type ResponseFraming } from "./response-head.ts";
import type { Visitor } from "./visitor.ts";
import { makeRequest } from "./web-request.ts";

/** What an exchange needs of its server. */
export interface ExchangeContext {
  readonly limits: ServeLimits;
  /** whether connections go on */
  keepAlive(): boolean;
  answer(request: Request): Response | Promise<Response>;
  /** The handler failed, gave something that cannot be sent, or a body that broke. */
  failed(error: unknown, request: Request | undefined): void;
}

/** chunks below this are sent in one piece with their size */
const joinBelow = 4096;

/** Answers a request that was read as far as its head. Gives whether the connection can go on; if not, all that can be sent was sent. */
export async function exchange(
  visitor: Visitor,
  head: RequestHead,
  host: ExchangeContext,
  /** how long the visitor may take to send the content */
  contentTimeoutMs: number,
): Promise<boolean> {
  return await new Exchange(visitor, head, host, contentTimeoutMs).run();
}

/** Answers a request that could not be read. */
export async function refuse(visitor: Visitor, fault: Fault, { idleTimeoutMs }: ServeLimits): Promise<void> {
  const response = plainResponse(fault.status, fault.message);
  const context = {
    method: undefined,
    minorVersion: 1,
    keepAlive: false,
    keepAliveTimeoutMs: 0,
    date: new Date(),
  } as const;
  const { bytes } = makeResponseHead(response, context);
  await visitor.write(concat(bytes, latin1(await response.text())), idleTimeoutMs).catch(() => {});
}

class Exchange {
  readonly #visitor: Visitor;
  readonly #head: RequestHead;
  readonly #host: ExchangeContext;
  readonly #content: RequestContent;
  readonly #left = new AbortController();
  #request: Request | undefined;
  #onGone: (error: Error) => void = () => {};

  constructor(visitor: Visitor, head: RequestHead, host: ExchangeContext, contentTimeoutMs: number) {
    this.#visitor = visitor;
    this.#head = head;
    this.#host = host;
    this.#content = new RequestContent(visitor, head, host.limits, contentTimeoutMs);
  }

  async run(): Promise<boolean> {
    await this.#content.begin();
    this.#visitor.watch(
      // Most who end have left (a closed socket looks the same from afar); those who have not still get their response.
      () => void this.#content.whenRead.then(() => this.#leave(new SshError("closed", "the visitor has ended"))),
      (error) => {
        this.#leave(error);
        this.#onGone(error);
      },
    );
    try {
      const response = await this.#response();
      if (response === undefined) return false;
      const keepAlive = await this.#send(response);
      return keepAlive && (await this.#content.discard(this.#host.limits.maxDiscardBytes));
    } catch (cause) {
      const error = cause instanceof Error ? cause : new SshError("closed", "the response failed", { cause });
      this.#leave(error);
      this.#visitor.abort(error);
      return false;
    } finally {
      this.#visitor.watch(undefined, undefined);
      this.#content.end();
    }
  }

  /** Asks the handler. Undefined: the visitor is gone. */
  async #response(): Promise<Response | undefined> {
    const { url } = this.#head;
    // RFC 9110 section 9.3.7: a question about the server as a whole
    if (url === undefined) return new Response(null, { status: 204 });
    const gone = new Promise<undefined>((resolve) => {
      this.#onGone = () => resolve(undefined);
      if (this.#visitor.gone) resolve(undefined);
    });
    const answered = this.#ask(url);
    const response = await Promise.race([answered, gone]);
    // What the handler gives to somebody who has gone is not wanted any more.
    if (response === undefined) void answered.then(cancelBody);
    return response;
  }

  /** Never rejects. */
  async #ask(url: string): Promise<Response> {
    let response: Response | undefined;
    try {
      this.#request = makeRequest(this.#head, url, this.#content.stream, this.#left.signal);
      response = await this.#host.answer(this.#request);
      // Here, so that what cannot be sent counts as the handler's failure.
      makeResponseHead(response, this.#context(false));
      return response;
    } catch (error) {
      cancelBody(response);
      const { fault } = this.#content;
      if (fault !== undefined) return plainResponse(fault.status, fault.message);
      // A handler that gives up with its visitor has not failed.
      if (!this.#left.signal.aborted) this.#host.failed(error, this.#request);
      return plainResponse(500);
    }
  }

  /** Sends the response. Gives whether the connection may go on. */
  async #send(response: Response): Promise<boolean> {
    const wanted = this.#host.keepAlive() && this.#head.keepAlive && this.#content.canGoOn && !this.#visitor.ended;
    const { bytes, framing, keepAlive } = makeResponseHead(response, this.#context(wanted));
    this.#content.responding();
    await this.#write(bytes);
    if (framing.by === "nothing" || response.body === null) cancelBody(response);
    else await this.#sendBody(response.body.getReader(), framing);
    return keepAlive;
  }

  async #sendBody(reader: ReadableStreamDefaultReader<Uint8Array>, framing: ResponseFraming): Promise<void> {
    this.#onGone = (error) => void reader.cancel(error).catch(() => {});
    let left = framing.by === "length" ? framing.length : 0;
    try {
      for (;;) {
        const data = await this.#readBody(reader);
        if (data === undefined) break;
        left -= framing.by === "length" ? data.length : 0;
        if (left < 0) throw this.#failure("expected a body as long as its Content-Length, got a longer one");
        await (framing.by === "chunked" ? this.#writeChunk(data) : this.#write(data));
      }
      if (left > 0) throw this.#failure("expected a body as long as its Content-Length, got a shorter one");
      if (framing.by === "chunked") await this.#write(latin1("0\r\n\r\n"));
    } catch (error) {
      reader.cancel(error).catch(() => {});
      throw error;
    }
  }

  /** A chunk of the response; undefined at its end. @throws when it breaks, and when the visitor is gone */
  async #readBody(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Bytes | undefined> {
    let result: ReadableStreamReadResult<Uint8Array>;
    try {
      result = await reader.read();
    } catch (error) {
      if (!this.#left.signal.aborted) this.#host.failed(error, this.#request);
      throw error;
    }
    if (this.#visitor.gone) throw new SshError("closed", "the visitor closed the connection");
    if (result.done) return undefined;
    if (!(result.value instanceof Uint8Array)) throw this.#failure("expected a body of Uint8Arrays");
    return result.value;
  }

  /** RFC 9112 section 7.1. A chunk of no bytes would be the last one. */
  async #writeChunk(data: Bytes): Promise<void> {
    if (data.length === 0) return;
    const size = latin1(`${data.length.toString(16)}\r\n`);
    const end = latin1("\r\n");
    if (data.length < joinBelow) return await this.#write(concat(size, data, end));
    await this.#write(size);
    await this.#write(data);
    await this.#write(end);
  }

  #write(bytes: Bytes): Promise<void> {
    return this.#visitor.write(bytes, this.#host.limits.idleTimeoutMs);
  }

  #context(keepAlive: boolean): ResponseContext {
    const { method, minorVersion } = this.#head;
    const { keepAliveTimeoutMs } = this.#host.limits;
    return { method, minorVersion, keepAlive, keepAliveTimeoutMs, date: new Date() };
  }

  #failure(message: string): SshError {
    const error = new SshError("misuse", message);
    this.#host.failed(error, this.#request);
    return error;
  }

  #leave(reason: Error): void {
    if (!this.#left.signal.aborted) this.#left.abort(reason);
  }
}

function cancelBody(response: Response | undefined): void {
  const body = response?.body;
  if (body && !body.locked) body.cancel().catch(() => {});
}
