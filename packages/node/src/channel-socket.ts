/** A channel as a socket of Node.js, as servers such as `node:http` and `node:http2` expect it. @module */
import { isIPv6 } from "node:net";
import { Duplex } from "node:stream";
import type { Address, BytePipe } from "@postern/ssh";
import { type Bytes, expectNumber, maxTimerMs, SshError } from "@postern/wire";

/** Pending writes of up to this size are joined into one. */
const maxJoinedBytes = 64 * 1024;
/** Errors after which Node's HTTP server has answered 400, 408, 413 or 431, and then destroys the socket. */
const answeredErrors = /^(?:HPE_|ERR_HTTP_REQUEST_TIMEOUT$)/;

/**
 * A byte pipe as a Duplex stream with the properties of `net.Socket` that servers use. It reads from the pipe on
 * demand, and a write completes once the pipe accepts more. `destroy` with an error aborts the pipe; without an error,
 * or with one that the server has answered, it closes the pipe. An `error` event without a listener does not end the
 * process.
 */
export class ChannelSocket extends Duplex {
  /** the visitor's address, as the server reports it */
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly remoteFamily: "IPv4" | "IPv6";
  readonly #pipe: BytePipe;
  /** completes the write that waits until the pipe accepts more */
  #pendingWrite: ((error?: Error | null) => void) | undefined;
  #closed: { readonly error: Error | undefined } | undefined;
  #bytesRead = 0;
  #bytesWritten = 0;
  #timeoutMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param allowHalfOpen `false`: the writable side ends when the visitor has ended; the default of `net.createServer`
   */
  constructor(pipe: BytePipe, origin: Address, allowHalfOpen = true) {
    super({ allowHalfOpen, emitClose: true });
    this.#pipe = pipe;
    this.remoteAddress = origin.host;
    this.remotePort = origin.port;
    this.remoteFamily = isIPv6(origin.host) ? "IPv6" : "IPv4";
    // 'close' follows. Without a listener, Node.js would end the process.
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

  /** Emits `timeout` after this many milliseconds without reads and writes. 0 turns it off. */
  setTimeout(ms: number, listener?: () => void): this {
    expectNumber("a socket's timeout", ms);
    this.#timeoutMs = Math.min(ms, maxTimerMs);
    if (listener) {
      if (ms === 0) this.off("timeout", listener);
      else this.once("timeout", listener);
    }
    this.#restartTimer();
    return this;
  }

  /** Does nothing: writes are sent at once. */
  setNoDelay(): this {
    return this;
  }

  /** Does nothing: the connection to the server has its own keepalive. */
  setKeepAlive(): this {
    return this;
  }

  /** Does nothing: the tunnel keeps the process alive. */
  ref(): this {
    return this;
  }

  /** Does nothing. */
  unref(): this {
    return this;
  }

  /** Returns an empty object: the local address of the connection is on the server. */
  address(): object {
    return {};
  }

  /** Ends the socket and destroys it once everything is written. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once("finish", () => this.destroy());
  }

  /** Aborts the connection, so that the visitor sees an error if the server can signal one. */
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
    if (size <= maxJoinedBytes) {
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
    const pending = this.#pendingWrite;
    this.#pendingWrite = undefined;
    if (this.#closed === undefined) {
      // A pending write may never complete, so abort instead of waiting for it.
      if (pending || (error && !answeredErrors.test((error as NodeJS.ErrnoException).code ?? "")))
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
    this.#restartTimer();
    this.#bytesWritten += chunk.length;
    if (chunk.length === 0 || this.#pipe.write(chunk)) done();
    else this.#pendingWrite = done;
  }

  #data(chunk: Bytes): void {
    if (this.destroyed) return;
    this.#restartTimer();
    this.#bytesRead += chunk.length;
    if (!this.push(chunk)) this.#pipe.pause();
  }

  #drained(): void {
    this.#restartTimer();
    const pending = this.#pendingWrite;
    this.#pendingWrite = undefined;
    pending?.();
  }

  #pipeClosed(error: Error | undefined): void {
    this.#closed = { error };
    if (error) {
      this.destroy(error);
      return;
    }
    const pending = this.#pendingWrite;
    this.#pendingWrite = undefined;
    pending?.(new SshError("closed", "the visitor closed the connection before it received everything"));
    // Data that arrived before is still to be read.
    if (this.readableEnded) this.destroy();
    else this.once("end", () => this.destroy());
  }

  #restartTimer(): void {
    clearTimeout(this.#timer);
    if (this.#timeoutMs > 0 && !this.destroyed)
      this.#timer = setTimeout(() => this.emit("timeout"), this.#timeoutMs).unref();
  }
}
