/** Byte pipes over sockets of `node:net`. @module */
import { connect, type Socket, type TcpNetConnectOpts } from "node:net";
import { setImmediate } from "node:timers";
import type { BytePipe, PipeSink, StartOptions } from "@postern/ssh";
import { type ArrayBufferBytes, type Bytes, SshError, toSshError } from "@postern/wire";
import { mayReadOn, type TurnReader } from "./read-turns.ts";
import { WriteGathering } from "./write-gathering.ts";

/**
 * Size of the read buffer. Large enough to read a busy socket in few turns of the event loop, and small enough to stay
 * in a processor's cache.
 */
const readSize = 64 * 1024;
/** Silence before the first TCP keepalive probe. Before a socket is connected, libuv always uses this delay. */
const keepAliveDelayMs = 60_000;
const nothing: Bytes = /* @__PURE__ */ new Uint8Array(0);

/**
 * Returns a {@link BytePipe} over a socket and takes the socket over. It may be connected, connecting or just accepted.
 *
 * - Turns Nagle's algorithm off and half-close on, whatever options the socket was created with.
 * - TCP keepalive starts after a minute of silence. It detects a vanished visitor or target, whose channel then closes.
 * - Data and errors that arrive before `start` are reported after it. An `error` event is never unhandled.
 * - `pause` stops `data`. `end` may still be called if no bytes are left.
 * - `close` sends pending writes, then closes the socket.
 * - `abort` resets a TCP connection, so that the other side gets an error instead of the end of the data. Other
 *   sockets are closed.
 * - After `abort` or `closed`, `write` returns `false` and drops the bytes.
 *
 * @throws SshError `misuse` if the socket decodes text, from `start` if called twice, and from `write` after `end`
 * @example
 * server.on("connection", (socket) => void connection(socketPipe(socket)));
 */
export function socketPipe(socket: Socket): BytePipe {
  if (socket.readableEncoding !== null) {
    throw new SshError("misuse", `expected a socket that reads bytes, got one that decodes ${socket.readableEncoding}`);
  }
  return new SocketPipe(socket, false);
}

/** Shared by all sockets of {@link connectPiped}: each read is delivered before the next one begins. */
let readBuffer: ArrayBufferBytes | undefined;

/** Starts to connect. Returns a socket with a pipe, see {@link pipeOf}. The socket emits no `data`. */
export function connectPiped(options: TcpNetConnectOpts): Socket {
  readBuffer ??= new Uint8Array(readSize);
  const buffer = readBuffer;
  const callback = (size: number): boolean => {
    pipe.read(buffer.subarray(0, size));
    return true;
  };
  const socket = connect({ ...options, onread: { buffer, callback } });
  const pipe = new SocketPipe(socket, true);
  return socket;
}

/** The property of a socket that holds its pipe, so that all sockets share the same listeners. */
const pipeKey = /* @__PURE__ */ Symbol("pipe");
type PipedSocket = Socket & { [pipeKey]: SocketPipe };

/** Returns the pipe of a socket from {@link connectPiped}. */
export function pipeOf(socket: Socket): BytePipe {
  return (socket as PipedSocket)[pipeKey];
}

function onError(): void {}

function onEnd(this: Socket): void {
  (this as PipedSocket)[pipeKey].peerEnded();
}

function onClose(this: Socket): void {
  (this as PipedSocket)[pipeKey].gone();
}

function onDrain(this: Socket): void {
  (this as PipedSocket)[pipeKey].drained();
}

type Life =
  | { readonly at: "open" }
  | { readonly at: "closed"; readonly error: Error | undefined }
  | { readonly at: "reported" };
const open: Life = { at: "open" };
const reported: Life = { at: "reported" };

class SocketPipe implements BytePipe, TurnReader {
  readonly #socket: Socket;
  readonly #writes: WriteGathering;
  /** whether {@link connectPiped} created it: then it is TCP, and calls `read` */
  readonly #dialled: boolean;
  #sink: PipeSink | undefined;
  #paused = false;
  /** whether it waits until other busy sockets have been read */
  #waitsForTurn = false;
  /** whether `write` returned `false` and `drain` has not been called since */
  #needsDrain = false;
  #ended = false;
  /** whether we closed the pipe: data that still arrives is dropped */
  #dropping = false;
  #peer: "sending" | "ended" | "reported" = "sending";
  #aborted: Error | undefined;
  #life = open;

  constructor(socket: Socket, dialled: boolean) {
    this.#socket = socket;
    this.#writes = new WriteGathering(socket, this);
    this.#dialled = dialled;
    (socket as PipedSocket)[pipeKey] = this;
    socket.pause();
    socket.setNoDelay(true);
    socket.setKeepAlive(true, keepAliveDelayMs);
    socket.allowHalfOpen = true;
    // Every error is followed by 'close', which reports it. Without a listener, Node would throw the error.
    socket.on("error", onError);
    socket.on("end", onEnd);
    socket.on("close", onClose);
    socket.on("drain", onDrain);
    if (socket.readableEnded) this.peerEnded();
    if (socket.closed) this.gone();
  }

  start(sink: PipeSink, { cork = true }: StartOptions = {}): void {
    if (this.#sink) throw new SshError("misuse", "expected one start, got another");
    this.#sink = sink;
    this.#writes.corks = cork;
    this.#writes.written = sink.memory?.written;
    if (!this.#dialled) {
      // The sink expects a Uint8Array. A Buffer differs: its slice() does not copy.
      this.#socket.on("data", (chunk: Bytes) => {
        if (chunk.length === readSize && !this.#dropping && !mayReadOn(this)) this.#waitForTurn();
        this.#deliver(new Uint8Array(chunk.buffer as ArrayBuffer, chunk.byteOffset, chunk.length));
      });
    }
    if (!this.#paused) this.#socket.resume();
    queueMicrotask(() => this.#report());
  }

  /** Called with each read of a socket of {@link connectPiped}. The memory is reused after the call. */
  read(chunk: ArrayBufferBytes): void {
    this.#deliver(this.#sink?.memory?.borrows === true ? chunk : chunk.slice());
  }

  write(chunk: Bytes): boolean {
    if (this.#socket.destroyed || this.#aborted) return false;
    if (this.#ended) throw new SshError("misuse", "expected no write after end, got one");
    if (chunk.length === 0) return !this.#needsDrain;
    const more = this.#writes.write(chunk);
    if (!more) this.#needsDrain = true;
    return more;
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (!this.#socket.destroyed && !this.#aborted) this.#socket.end();
  }

  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#sink && !this.#waitsForTurn) this.#socket.resume();
  }

  close(): void {
    if (this.#dropping || this.#life.at !== "open") return;
    this.#dropping = true;
    this.#ended = true;
    this.#socket.resume();
    this.#socket.destroySoon();
  }

  abort(reason?: Error): void {
    if (this.#aborted || this.#life.at !== "open") return;
    this.#aborted = reason ?? new SshError("closed", "the pipe was aborted");
    const { writableEnded, writableFinished, writableLength, connecting } = this.#socket;
    // libuv cannot reset during shutdown() (EINVAL). Node would then lose the handle and never emit 'close'.
    const shuttingDown = writableEnded && !writableFinished && writableLength === 0 && !connecting;
    if (shuttingDown) this.#socket.once("finish", () => this.#reset());
    else this.#reset();
  }

  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }

  #reset(): void {
    // Node would first wait for the connection, then reset it.
    if (this.#socket.connecting) {
      this.#socket.destroy();
      return;
    }
    try {
      this.#socket.resetAndDestroy();
    } catch {
      // ERR_INVALID_HANDLE_TYPE: only plain TCP can be reset.
      this.#socket.destroy();
    }
  }

  #waitForTurn(): void {
    this.#waitsForTurn = true;
    this.#socket.pause();
  }

  nextTurn(): void {
    this.#waitsForTurn = false;
    if (!this.#paused) this.#socket.resume();
  }

  #deliver(chunk: ArrayBufferBytes): void {
    if (!this.#aborted && !this.#dropping) this.#sink?.data(chunk);
  }

  /** Called when the socket emits `end`. */
  peerEnded(): void {
    const { writable, writableLength } = this.#socket;
    // libuv reports a reset after unread bytes as the end of the data. An empty write distinguishes them: it fails
    // after a reset. On a Unix socket it would also fail after the peer has closed normally.
    if (writable && writableLength === 0 && this.#isTcp()) this.#socket.write(nothing);
    setImmediate(() => {
      if (this.#socket.destroyed || this.#peer !== "sending") return;
      this.#peer = "ended";
      this.#report();
    });
  }

  #isTcp(): boolean {
    return this.#dialled || this.#socket.localAddress !== undefined;
  }

  /** Called when the socket emits `close`. */
  gone(): void {
    const { readableEnded, writableFinished, errored } = this.#socket;
    const complete = (readableEnded || this.#dropping) && writableFinished && !errored;
    const error = this.#aborted ?? (complete ? undefined : lost(errored));
    if (error) this.#peer = "reported";
    else if (this.#peer === "sending") this.#peer = "ended";
    this.#life = { at: "closed", error };
    this.#report();
  }

  /** Called when the socket emits `drain` or gathered writes have left. */
  drained(): void {
    this.#writes.reportWritten();
    this.#report();
  }

  /** Calls the sink with all pending events, in order. */
  #report(): void {
    const sink = this.#sink;
    if (!sink) return;
    const { writable, writableNeedDrain } = this.#socket;
    if (this.#needsDrain && writable && !writableNeedDrain) {
      this.#needsDrain = false;
      sink.drain();
    }
    if (this.#peer === "ended" && !this.#aborted) {
      this.#peer = "reported";
      sink.end();
    }
    if (this.#life.at === "closed") {
      const { error } = this.#life;
      this.#life = reported;
      sink.closed(error);
    }
  }
}

function lost(cause: Error | null): SshError {
  if (!cause) return new SshError("closed", "the socket was destroyed before both sides had ended");
  const { code = cause.name } = cause as NodeJS.ErrnoException;
  const hungUp = code === "ECONNRESET" || code === "EPIPE";
  return toSshError(cause, "closed", `${hungUp ? "the peer reset the connection" : "the connection failed"} (${code})`);
}
