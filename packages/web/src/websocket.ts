/** A WebSocket as a byte pipe: how a browser reaches an SSH host, through a bridge that relays to TCP. @module */
import type { BytePipe, PipeSink } from "@postern/ssh";
import { type Bytes, describeType, expectSignal, expectType, quote, SshError } from "@postern/wire";

/** What {@link webSocketPipe} is told. */
export interface WebSocketPipeOptions {
  /** subprotocols to ask for; not for a WebSocket that is made already */
  readonly protocols?: string | readonly string[];
  /** bytes the WebSocket may hold before `write` gives false; 1 MiB by default */
  readonly highWaterMark?: number;
  /** gives the connection attempt up; the pipe is not bound to it */
  readonly signal?: AbortSignal | undefined;
}

/** A WebSocket cannot be told to stop reading: what comes while the pipe is paused is held, up to here (64 MiB). */
const maxHeld = 67_108_864;
const pollMs = 5;
/** Application codes start at 4000 (RFC 6455 section 7.4.2). */
const abortCode = 4000;
const normalClosure = 1000;
const noStatus = 1005;

/**
 * Makes a byte pipe of a WebSocket (takes it) when it is open: of a URL, or of one that is open or connecting.
 *
 * - Bytes go in binary messages, whose limits mean nothing.
 * - A WebSocket has no half-close: `end` sends what was written and closes it, and nothing more comes in.
 * - `abort` closes it with the code 4000, which tells the other side that this was no end.
 * - Closed by the other side with the code 1000 while nothing waited to be sent, the pipe has ended; with any other, `closed` has an
 *   SshError `closed` that tells the code and the reason.
 *
 * @throws SshError `connect` when it does not open, `aborted`; `misuse` when it is closed or the options are wrong
 * @example
 * const pipe = await webSocketPipe("wss://bridge.example.com/ssh", { signal: AbortSignal.timeout(10_000) });
 */
export async function webSocketPipe(
  target: string | URL | WebSocket,
  options: WebSocketPipeOptions = {},
): Promise<BytePipe> {
  expectType("the options of webSocketPipe", options, "object");
  const { protocols, highWaterMark = 1024 * 1024, signal } = options;
  if (typeof highWaterMark !== "number" || !(highWaterMark >= 1))
    throw new SshError("misuse", `expected a highWaterMark of 1 or more, got ${String(highWaterMark)}`);
  expectSignal(signal);
  const aborted = () => new SshError("aborted", "the WebSocket was aborted", { cause: signal?.reason });
  if (signal?.aborted) throw aborted();
  const socket = typeof target === "string" || target instanceof URL ? open(target, protocols) : target;
  if (typeof socket?.addEventListener !== "function")
    throw new SshError("misuse", `expected a URL or a WebSocket, got ${describeType(target)}`);
  socket.binaryType = "arraybuffer";
  const pipe = new WebSocketPipe(socket, highWaterMark);
  const abort = (): void => pipe.abort(aborted());
  signal?.addEventListener("abort", abort, { once: true });
  try {
    await pipe.opened;
  } finally {
    signal?.removeEventListener("abort", abort);
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
  /** settles when the WebSocket opened, or did not */
  readonly opened: Promise<void>;
  #opening: { resolve(): void; reject(error: SshError): void } | undefined;
  readonly #socket: WebSocket;
  readonly #highWaterMark: number;
  readonly #listening = new AbortController();
  #sink: PipeSink | undefined;
  #paused = false;
  #delivering = false;
  /** came before `start` or while paused */
  #held: Bytes[] = [];
  #heldSize = 0;
  /** a write gave false and `drain` has not been called since */
  #owesDrain: ReturnType<typeof setTimeout> | undefined;
  #ended = false;
  /** closed by us: what comes in is dropped */
  #dropping = false;
  #gone: { readonly error: Error | undefined; told: boolean } | undefined;

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
    // 'close' follows, and says as much; but some libraries throw an 'error' that nobody listens to.
    socket.addEventListener("error", () => {});
    if (socket.readyState === 1) this.#opened();
    else if (socket.readyState > 1)
      this.#leave(new SshError("misuse", "expected a WebSocket to use, got a closed one"));
  }

  start(sink: PipeSink): void {
    if (this.#sink) throw new SshError("misuse", "expected one start, got another");
    this.#sink = sink;
    queueMicrotask(() => this.#deliver());
  }

  write(chunk: Bytes): boolean {
    if (this.#gone) return false;
    if (this.#ended) throw new SshError("misuse", "expected no write after end, got one");
    if (chunk.length > 0) this.#socket.send(chunk as Uint8Array<ArrayBuffer>);
    if (this.#buffered < this.#highWaterMark) return this.#owesDrain === undefined;
    this.#owesDrain ??= setTimeout(() => this.#poll(), pollMs);
    return false;
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (!this.#gone) this.#socket.close(normalClosure);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#deliver();
  }

  close(): void {
    if (this.#gone) return;
    this.#dropping = true;
    this.#held = [];
    this.end();
  }

  abort(reason?: Error): void {
    this.#leave(reason ?? new SshError("closed", "the pipe was aborted"));
  }

  /** Not every runtime counts; there the system's own buffers are the limit. */
  get #buffered(): number {
    return this.#socket.bufferedAmount ?? 0;
  }

  #opened(): void {
    this.#opening?.resolve();
    this.#opening = undefined;
  }

  #received(data: unknown): void {
    if (this.#gone || this.#dropping) return;
    const chunk = data instanceof ArrayBuffer ? new Uint8Array(data) : data;
    if (!(chunk instanceof Uint8Array)) {
      this.#leave(new SshError("protocol", `expected binary messages of the WebSocket, got ${typeof data}`));
      return;
    }
    // Also in a hidden page, where timers run once a second or once a minute.
    if (this.#owesDrain !== undefined) this.#poll();
    this.#held.push(chunk);
    this.#heldSize += chunk.length;
    if (this.#heldSize > maxHeld) {
      this.#leave(new SshError("limit", `expected at most ${maxHeld} bytes while the pipe is paused, got more`));
    }
    this.#deliver();
  }

  #closed({ code, reason, wasClean }: CloseEvent): void {
    const ours = this.#ended && wasClean;
    const theirs = (code === normalClosure || code === noStatus) && this.#buffered === 0;
    const words = reason === "" ? "" : `: ${quote(reason)}`;
    const error = new SshError("closed", `the WebSocket was closed with the code ${code}${words}`);
    if (this.#opening)
      this.#leave(new SshError("connect", `expected a WebSocket to open, got the code ${code}${words}`));
    else this.#leave(ours || theirs ? undefined : error);
  }

  #leave(error: Error | undefined): void {
    if (this.#gone) return;
    this.#gone = { error, told: false };
    this.#listening.abort();
    clearTimeout(this.#owesDrain);
    if (error !== undefined) this.#held = [];
    if (this.#socket.readyState < 2) this.#socket.close(abortCode, "aborted");
    this.#opening?.reject(error instanceof SshError ? error : new SshError("closed", "the pipe was aborted"));
    this.#opening = undefined;
    queueMicrotask(() => this.#deliver());
  }

  /** Hands on what came, and after it the end. */
  #deliver(): void {
    const sink = this.#sink;
    if (!sink || this.#delivering) return;
    this.#delivering = true;
    try {
      while (!this.#paused) {
        const chunk = this.#held.shift();
        if (chunk === undefined) break;
        this.#heldSize -= chunk.length;
        sink.data(chunk);
      }
      const gone = this.#gone;
      if (gone === undefined || gone.told || this.#held.length > 0) return;
      gone.told = true;
      if (gone.error === undefined && !this.#dropping) sink.end();
      sink.closed(gone.error);
    } finally {
      this.#delivering = false;
    }
  }

  /** Is there room again? Asked now and then, for no event tells. */
  #poll(): void {
    clearTimeout(this.#owesDrain);
    this.#owesDrain = undefined;
    if (this.#buffered < this.#highWaterMark / 2) this.#sink?.drain();
    else this.#owesDrain = setTimeout(() => this.#poll(), pollMs);
  }
}
