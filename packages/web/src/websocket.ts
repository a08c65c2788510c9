/** A WebSocket as a byte pipe. Browsers reach SSH servers with it, through a bridge that relays to TCP. @module */
import { type BytePipe, onAbort, type PipeSink } from "@postern/ssh";
import {
  type ArrayBufferBytes,
  type Bytes,
  describeType,
  expectNumber,
  expectSignal,
  expectType,
  quote,
  SshError,
} from "@postern/wire";

/** Options of {@link webSocketPipe}. */
export interface WebSocketPipeOptions {
  /** subprotocols to request; ignored for an existing WebSocket */
  readonly protocols?: string | readonly string[];
  /** bytes that the WebSocket may buffer before `write` returns `false`; default 1 MiB */
  readonly highWaterMark?: number;
  /** aborts the connection attempt; has no effect on an open pipe */
  readonly signal?: AbortSignal | undefined;
}

/** A WebSocket cannot pause. Data that arrives while the pipe is paused is queued, up to 64 MiB. */
const maxQueued = 67_108_864;
const pollMs = 5;
/** Application codes start at 4000 (RFC 6455 section 7.4.2). */
const abortCode = 4000;
const normalClosure = 1000;
const noStatus = 1005;
/** The connection failed. Pages do not learn why: a refused handshake and a dead host look the same. */
const hiddenReason = 1006;

/**
 * Connects to a URL, or takes a WebSocket that is open or connecting, and resolves with its byte pipe once it is open.
 *
 * - Bytes are sent in binary messages; message boundaries have no meaning.
 * - A WebSocket has no half-close: `end` sends pending writes and closes it in both directions.
 * - `abort` closes it with code 4000, which means that the data is incomplete.
 * - If the other side closes with code 1000 while no write is pending, the pipe ends. With any other code, `closed`
 *   gets an SshError `closed` with the code and the reason.
 *
 * @throws SshError `connect` if the WebSocket does not open, `misuse` if it is closed or the options are wrong; the
 *   signal's reason if the signal aborts
 * @example
 * const pipe = await webSocketPipe("wss://bridge.example.com/ssh", { signal: AbortSignal.timeout(10_000) });
 */
export async function webSocketPipe(
  target: string | URL | WebSocket,
  options: WebSocketPipeOptions = {},
): Promise<BytePipe> {
  expectType("the options of webSocketPipe", options, "object");
  const { protocols, highWaterMark = 1024 * 1024, signal } = options;
  expectNumber("highWaterMark", highWaterMark, 1);
  expectSignal(signal);
  signal?.throwIfAborted();
  const socket = typeof target === "string" || target instanceof URL ? open(target, protocols) : target;
  if (typeof socket?.addEventListener !== "function")
    throw new SshError("misuse", `expected a URL or a WebSocket, got ${describeType(target)}`);
  socket.binaryType = "arraybuffer";
  const pipe = new WebSocketPipe(socket, highWaterMark);
  const stopListening = onAbort(signal, () => pipe.abort());
  try {
    await pipe.opened;
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  } finally {
    stopListening();
  }
  return pipe;
}

function open(url: string | URL, protocols: string | readonly string[] = []): WebSocket {
  try {
    return new WebSocket(url, typeof protocols === "string" ? protocols : [...protocols]);
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new SshError("misuse", `expected the URL and the protocols of a WebSocket, got: ${words}`, { cause });
  }
}

class WebSocketPipe implements BytePipe {
  /** settles when the WebSocket has opened, or failed to open */
  readonly opened: Promise<void>;
  #opening: { resolve(): void; reject(error: SshError): void } | undefined;
  readonly #socket: WebSocket;
  readonly #highWaterMark: number;
  readonly #listening = new AbortController();
  #sink: PipeSink | undefined;
  #paused = false;
  #delivering = false;
  /** chunks that arrived before `start` or while paused */
  #queue: ArrayBufferBytes[] = [];
  #queuedBytes = 0;
  /** set from a `write` that returned `false` until `drain` is called */
  #drainTimer: ReturnType<typeof setTimeout> | undefined;
  #ended = false;
  /** `close` was called: incoming data is dropped */
  #dropping = false;
  #over: { readonly error: Error | undefined; isReported: boolean } | undefined;

  constructor(socket: WebSocket, highWaterMark: number) {
    this.#socket = socket;
    this.#highWaterMark = highWaterMark;
    this.opened = new Promise((resolve, reject) => {
      this.#opening = { resolve, reject };
    });
    const { signal } = this.#listening;
    socket.addEventListener("open", () => this.#opened(), { signal });
    socket.addEventListener("message", ({ data }) => this.#received(data), { signal });
    socket.addEventListener("close", (event) => this.#closed(event), { signal });
    // 'close' follows with the same information, but some libraries throw an 'error' that has no listener.
    socket.addEventListener("error", () => {});
    if (socket.readyState === 1) this.#opened();
    else if (socket.readyState > 1)
      this.#finish(new SshError("misuse", "expected an open or connecting WebSocket, got a closed one"));
  }

  start(sink: PipeSink): void {
    if (this.#sink) throw new SshError("misuse", "expected one call of start, got a second one");
    this.#sink = sink;
    queueMicrotask(() => this.#deliver());
  }

  write(chunk: Bytes): boolean {
    if (this.#over) return false;
    if (this.#ended) throw new SshError("misuse", "expected no write after end, got one");
    if (chunk.length > 0) this.#socket.send(chunk as Uint8Array<ArrayBuffer>);
    if (this.#buffered < this.#highWaterMark) return this.#drainTimer === undefined;
    this.#drainTimer ??= setTimeout(() => this.#poll(), pollMs);
    return false;
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (!this.#over) this.#socket.close(normalClosure);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#deliver();
  }

  close(): void {
    if (this.#over) return;
    this.#dropping = true;
    this.#queue = [];
    this.end();
  }

  abort(reason?: Error): void {
    this.#finish(reason ?? new SshError("closed", "the pipe was aborted"));
  }

  /** Some runtimes lack `bufferedAmount`; the system's buffers are the limit there. */
  get #buffered(): number {
    return this.#socket.bufferedAmount ?? 0;
  }

  #opened(): void {
    this.#opening?.resolve();
    this.#opening = undefined;
  }

  #received(data: unknown): void {
    if (this.#over || this.#dropping) return;
    const chunk = data instanceof ArrayBuffer ? new Uint8Array(data) : data;
    if (!isBytes(chunk)) {
      this.#finish(new SshError("protocol", `expected binary messages, got ${describeType(data)}`));
      return;
    }
    // In a hidden page, timers run only once a second or once a minute.
    if (this.#drainTimer !== undefined) this.#poll();
    this.#queue.push(chunk);
    this.#queuedBytes += chunk.length;
    if (this.#queuedBytes > maxQueued) {
      this.#finish(
        new SshError("limit", `expected at most ${maxQueued} bytes while the pipe is paused, got ${this.#queuedBytes}`),
      );
    }
    this.#deliver();
  }

  #closed({ code, reason, wasClean }: CloseEvent): void {
    const ours = this.#ended && wasClean;
    const theirs = (code === normalClosure || code === noStatus) && this.#buffered === 0;
    const words = reason === "" ? "" : `: ${quote(reason)}`;
    const error = new SshError("closed", `the WebSocket was closed with code ${code}${words}`);
    if (this.#opening) {
      const advice = code === hiddenReason ? "; the bridge is down or refused this page: see the console" : "";
      const { url } = this.#socket;
      const to = url ? ` to ${placeOf(url)}` : "";
      this.#finish(
        new SshError("connect", `expected the WebSocket${to} to open, got close code ${code}${words}${advice}`),
      );
    } else this.#finish(ours || theirs ? undefined : error);
  }

  #finish(error: Error | undefined): void {
    if (this.#over) return;
    this.#over = { error, isReported: false };
    this.#listening.abort();
    clearTimeout(this.#drainTimer);
    if (error !== undefined) this.#queue = [];
    if (this.#socket.readyState < 2) this.#socket.close(abortCode, "aborted");
    this.#opening?.reject(error instanceof SshError ? error : new SshError("closed", "the pipe was aborted"));
    this.#opening = undefined;
    queueMicrotask(() => this.#deliver());
  }

  /** Delivers queued chunks, and then the end. */
  #deliver(): void {
    const sink = this.#sink;
    if (!sink || this.#delivering) return;
    this.#delivering = true;
    try {
      while (!this.#paused) {
        const chunk = this.#queue.shift();
        if (chunk === undefined) break;
        this.#queuedBytes -= chunk.length;
        sink.data(chunk);
      }
      const over = this.#over;
      if (over === undefined || over.isReported || this.#queue.length > 0) return;
      over.isReported = true;
      if (over.error === undefined && !this.#dropping) sink.end();
      sink.closed(over.error);
    } finally {
      this.#delivering = false;
    }
  }

  /** Calls `drain` once there is room again. Polls, because WebSocket has no event for this. */
  #poll(): void {
    clearTimeout(this.#drainTimer);
    this.#drainTimer = undefined;
    if (this.#buffered < this.#highWaterMark / 2) this.#sink?.drain();
    else this.#drainTimer = setTimeout(() => this.#poll(), pollMs);
  }
}

/** Returns a URL without its query and user, which may be secret. */
function placeOf(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

function isBytes(value: unknown): value is ArrayBufferBytes {
  return value instanceof Uint8Array;
}
