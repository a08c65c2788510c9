/** A channel as a socket of Node: what servers of `node:http`, `node:http2` and their like expect. @module */
import { isIPv6 } from "node:net";
import { Duplex } from "node:stream";
import type { BytePipe } from "@postern/ssh";
import type { Target } from "@postern/tunnel";
import { type Bytes, expectNumber, maxTimerMs, SshError } from "@postern/wire";

/** What one write may join of what waits: more is written as it is. */
const joinedBytes = 64 * 1024;
/** Errors of a request that Node's HTTP server has just answered with 400, 408, 413 or 431, before it destroys the socket. */
const answered = /^(?:HPE_|ERR_HTTP_REQUEST_TIMEOUT$)/;

/**
 * A byte pipe as a Duplex stream that has what a `net.Socket` has, as far as servers look at it. Bytes are read from the pipe when the stream
 * wants some, and a write is done when the pipe took it. `destroy` with an error cuts the pipe; without one it closes it, and also with an
 * error that the server has answered. An error nobody listens to does not end the process.
 */
export class ChannelSocket extends Duplex {
  /** where the visitor comes from, as the host tells */
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly remoteFamily: "IPv4" | "IPv6";
  readonly #pipe: BytePipe;
  /** the write that waits for room */
  #pending: ((error?: Error | null) => void) | undefined;
  #closed: { readonly error: Error | undefined } | undefined;
  #bytesRead = 0;
  #bytesWritten = 0;
  #timeoutMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param allowHalfOpen false: what we have to say ends with what the visitor says, as `net.createServer` has it unless told otherwise */
  constructor(pipe: BytePipe, origin: Target, allowHalfOpen = true) {
    super({ allowHalfOpen, emitClose: true });
    this.#pipe = pipe;
    this.remoteAddress = origin.host;
    this.remotePort = origin.port;
    this.remoteFamily = isIPv6(origin.host) ? "IPv6" : "IPv4";
    // 'close' follows; without a listener Node would end the process.
    this.on("error", () => {});
    pipe.pause();
    pipe.start({
      data: (chunk) => this.#data(chunk),
      end: () => void this.push(null),
      drain: () => this.#drained(),
      closed: (error) => this.#pipeClosed(error),
    });
  }

  get bytesRead(): number {
    return this.#bytesRead;
  }

  get bytesWritten(): number {
    return this.#bytesWritten;
  }

  get connecting(): boolean {
    return false;
  }

  get pending(): boolean {
    return false;
  }

  get readyState(): "open" | "readOnly" | "writeOnly" | "closed" {
    if (this.readable) return this.writable ? "open" : "readOnly";
    return this.writable ? "writeOnly" : "closed";
  }

  get timeout(): number | undefined {
    return this.#timeoutMs === 0 ? undefined : this.#timeoutMs;
  }

  /** Event `timeout` when nothing was read or written for so long; 0: never. */
  setTimeout(ms: number, listener?: () => void): this {
    expectNumber("a socket's timeout", ms);
    this.#timeoutMs = Math.min(ms, maxTimerMs);
    if (listener) {
      if (ms === 0) this.off("timeout", listener);
      else this.once("timeout", listener);
    }
    this.#active();
    return this;
  }

  /** Does nothing: what is written is sent at once. */
  setNoDelay(): this {
    return this;
  }

  /** Does nothing: the connection to the host has its own. */
  setKeepAlive(): this {
    return this;
  }

  /** Does nothing: it lives as long as its tunnel. */
  ref(): this {
    return this;
  }

  /** Does nothing. */
  unref(): this {
    return this;
  }

  /** Nothing is known of the address the host took the connection on. */
  address(): object {
    return {};
  }

  /** Ends, and is gone when everything was written. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once("finish", () => this.destroy());
  }

  /** Cuts the connection, so that the visitor sees an error where the system can tell. */
  resetAndDestroy(): this {
    return this.destroy(new SshError("closed", "the socket was reset"));
  }

  override _read(): void {
    this.#pipe.resume();
  }

  override _write(chunk: Bytes, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#send(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length), done);
  }

  override _writev(chunks: { chunk: Bytes }[], done: (error?: Error | null) => void): void {
    let size = 0;
    for (const { chunk } of chunks) size += chunk.length;
    if (size <= joinedBytes) {
      this.#send(new Uint8Array(Buffer.concat(chunks.map(({ chunk }) => chunk))), done);
      return;
    }
    let at = 0;
    const next = (error?: Error | null): void => {
      const part = chunks[at++]?.chunk;
      if (error || part === undefined) done(error);
      else this._write(part, "utf8", next);
    };
    next();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#pipe.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    const pending = this.#pending;
    this.#pending = undefined;
    if (this.#closed === undefined) {
      // A write that waits may wait for ever.
      if (pending || (error && !answered.test((error as NodeJS.ErrnoException).code ?? "")))
        this.#pipe.abort(error ?? new SshError("closed", "the socket was destroyed"));
      else this.#pipe.close();
    }
    pending?.(error ?? new SshError("closed", "the socket was destroyed before everything was written"));
    done(error);
  }

  #send(chunk: Bytes, done: (error?: Error | null) => void): void {
    if (this.#closed) {
      done(this.#closed.error ?? new SshError("closed", "expected an open channel, got a write after it closed"));
      return;
    }
    this.#active();
    this.#bytesWritten += chunk.length;
    if (chunk.length === 0 || this.#pipe.write(chunk)) done();
    else this.#pending = done;
  }

  #data(chunk: Bytes): void {
    if (this.destroyed) return;
    this.#active();
    this.#bytesRead += chunk.length;
    if (!this.push(chunk)) this.#pipe.pause();
  }

  #drained(): void {
    this.#active();
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.();
  }

  #pipeClosed(error: Error | undefined): void {
    this.#closed = { error };
    if (error) {
      this.destroy(error);
      return;
    }
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.(new SshError("closed", "the visitor closed the connection before it read everything"));
    // What came before is still to be read.
    if (this.readableEnded) this.destroy();
    else this.once("end", () => this.destroy());
  }

  #active(): void {
    clearTimeout(this.#timer);
    if (this.#timeoutMs > 0 && !this.destroyed)
      this.#timer = setTimeout(() => this.emit("timeout"), this.#timeoutMs).unref();
  }
}
