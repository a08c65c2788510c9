/** One HTTP exchange: a request and its response. @module */
import { type Bytes, concat, describeType, SshError } from "@postern/wire";
import type { HttpConnection } from "./http-connection.ts";
import { errorResponse, type HttpError } from "./http-error.ts";
import type { ServeLimits } from "./options.ts";
import { RequestContent } from "./request-content.ts";
import type { RequestHead } from "./request-head.ts";
import { encodeResponseHead, latin1, type ResponseContext, type ResponseFraming } from "./response-head.ts";
import { allowUpgrade, type TakeChannel, takerOf } from "./upgrade.ts";
import { createRequest } from "./web-request.ts";

/** The services of the server that an exchange uses. */
export interface ExchangeContext {
  readonly limits: ServeLimits;
  /** Whether connections may be kept alive. */
  keepAlive(): boolean;
  answer(request: Request): Response | Promise<Response>;
  /** Called if the handler throws, or returns an invalid response or one whose body fails. */
  failed(error: unknown, request: Request | undefined): void;
}

/** Smaller chunks are sent in one write with their size. */
const joinBelow = 4096;

/** Answers an invalid request. */
export async function refuse(
  connection: HttpConnection,
  error: HttpError,
  { idleTimeoutMs }: ServeLimits,
): Promise<void> {
  const response = errorResponse(error.status, error.message);
  const context: ResponseContext = {
    method: undefined,
    minorVersion: 1,
    keepAlive: false,
    keepAliveTimeoutMs: 0,
    date: new Date(),
  };
  const { bytes } = encodeResponseHead(response, context);
  await connection.write(concat(bytes, latin1(await response.text())), idleTimeoutMs).catch(() => {});
}

/** One request whose head has been read, and its response. */
export class Exchange {
  readonly #connection: HttpConnection;
  readonly #head: RequestHead;
  readonly #context: ExchangeContext;
  readonly #content: RequestContent;
  readonly #abort = new AbortController();
  #request: Request | undefined;
  /** The handler hands the connection to the program. */
  taker: TakeChannel | undefined;
  #onClose: (error: Error) => void = () => {};

  constructor(connection: HttpConnection, head: RequestHead, context: ExchangeContext, contentTimeoutMs: number) {
    this.#connection = connection;
    this.#head = head;
    this.#context = context;
    this.#content = new RequestContent(connection, head, context.limits, contentTimeoutMs);
  }

  /** Answers the request. Resolves with whether the connection can be kept alive. Never rejects. */
  async run(): Promise<boolean> {
    const { whenRead } = this.#content;
    await this.#content.begin();
    this.#connection.watch(
      // A half-close usually means that the visitor has closed its socket. If not, it still receives the response.
      () => void whenRead.promise.then(() => this.#abortRequest(new SshError("closed", "the visitor has ended"))),
      (error) => {
        this.#abortRequest(error);
        this.#onClose(error);
      },
    );
    try {
      const response = await this.#response();
      if (response === undefined) return false;
      this.taker = takerOf(response);
      if (this.taker !== undefined) return false;
      const keepAlive = await this.#send(response);
      return keepAlive && (await this.#content.discard(this.#context.limits.maxDiscardBytes));
    } catch (cause) {
      const error = cause instanceof Error ? cause : new SshError("closed", "the response failed", { cause });
      this.#abortRequest(error);
      this.#connection.abort(error);
      return false;
    } finally {
      this.#connection.watch(undefined, undefined);
      this.#content.end();
    }
  }

  /** The connection of an upgrade has closed, or could not be handed over. */
  upgradeEnded(error: Error): void {
    this.#abortRequest(error);
  }

  /** Reports an error of the program. */
  upgradeFailed(error: unknown): void {
    this.#context.failed(error, this.#request);
  }

  /** Resolves with the handler's response, or `undefined` if the visitor disconnects first. */
  async #response(): Promise<Response | undefined> {
    const { url } = this.#head;
    // OPTIONS * asks about the server as a whole (RFC 9110 section 9.3.7).
    if (url === undefined) return new Response(null, { status: 204 });
    const closed = new Promise<undefined>((resolve) => {
      this.#onClose = () => resolve(undefined);
      if (this.#connection.closed) resolve(undefined);
    });
    const answered = this.#callHandler(url);
    const response = await Promise.race([answered, closed]);
    // A response that comes later has no receiver.
    if (response === undefined) void answered.then(cancelBody);
    return response;
  }

  /** Calls the handler. Resolves with its response, or with an error response. Never rejects. */
  async #callHandler(url: string): Promise<Response> {
    let response: Response | undefined;
    try {
      this.#request = createRequest(this.#head, url, this.#content.stream, this.#abort.signal, this.#head.upgrades);
      if (this.#head.upgrades) allowUpgrade(this.#request);
      response = await this.#context.answer(this.#request);
      // Checks the response, so that an invalid one counts as a failure of the handler.
      encodeResponseHead(response, this.#responseContext(false));
      return response;
    } catch (error) {
      cancelBody(response);
      const { error: requestError } = this.#content;
      if (requestError !== undefined) return errorResponse(requestError.status, requestError.message);
      // A handler that rejects because the visitor disconnected has not failed.
      if (!this.#abort.signal.aborted) this.#context.failed(error, this.#request);
      return errorResponse(500);
    }
  }

  /** Sends the response. Resolves with whether the connection may be kept alive. */
  async #send(response: Response): Promise<boolean> {
    const wanted =
      this.#context.keepAlive() && this.#head.keepAlive && this.#content.canKeepAlive && !this.#connection.ended;
    const { bytes, framing, keepAlive } = encodeResponseHead(response, this.#responseContext(wanted));
    this.#content.responding();
    await this.#write(bytes);
    if (framing.by === "nothing" || response.body === null) cancelBody(response);
    else await this.#sendBody(response.body.getReader(), framing);
    return keepAlive;
  }

  async #sendBody(reader: ReadableStreamDefaultReader<Uint8Array>, framing: ResponseFraming): Promise<void> {
    this.#onClose = (error) => void reader.cancel(error).catch(() => {});
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

  /** Reads a chunk of the response, or `undefined` at its end. Rejects if the body fails or the visitor disconnects. */
  async #readBody(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Bytes | undefined> {
    let result: ReadableStreamReadResult<Uint8Array>;
    try {
      result = await reader.read();
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#context.failed(error, this.#request);
      throw error;
    }
    if (this.#connection.closed) throw new SshError("closed", "the visitor closed the connection");
    if (result.done) return undefined;
    const { value } = result;
    if (!(value instanceof Uint8Array)) {
      throw this.#failure(`expected a body of Uint8Arrays, got ${describeType(value)}`);
    }
    return value;
  }

  /** Writes a chunk (RFC 9112 section 7.1). An empty chunk is skipped, because it would end the body. */
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
    return this.#connection.write(bytes, this.#context.limits.idleTimeoutMs);
  }

  #responseContext(keepAlive: boolean): ResponseContext {
    const { method, minorVersion } = this.#head;
    const { keepAliveTimeoutMs } = this.#context.limits;
    return { method, minorVersion, keepAlive, keepAliveTimeoutMs, date: new Date() };
  }

  #failure(message: string): SshError {
    const error = new SshError("misuse", message);
    this.#context.failed(error, this.#request);
    return error;
  }

  #abortRequest(reason: Error): void {
    if (!this.#abort.signal.aborted) this.#abort.abort(reason);
  }
}

function cancelBody(response: Response | undefined): void {
  const body = response?.body;
  if (body && !body.locked) body.cancel().catch(() => {});
}
