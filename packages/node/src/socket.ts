/** A socket of `node:net` as a byte pipe. @module */
import { connect, type Socket, type TcpNetConnectOpts } from "node:net";
import { setImmediate } from "node:timers";
import type { BytePipe, PipeSink, StartOptions } from "@postern/ssh";
import { type Bytes, SshError, toSshError } from "@postern/wire";
import { atEndOfTurn, type TurnListener } from "./end-of-turn.ts";

/** What sockets read at once: large enough that a busy one is read in few turns of the event loop, small enough to stay in a processor's cache. */
const readSize = 64 * 1024;
/** bytes that wait for the end of a turn of the event loop */
const mostGathered = 256 * 1024;
/** a first write of fewer bytes is not to wait for the others of its turn, and one of more bytes gains nothing by it */
const smallWrite = 4096;
const largeWrite = 64 * 1024;
/** How long a connection is silent before the system asks whether the other side is still there; libuv knows no other delay before it has connected. */
const keepAliveDelayMs = 60_000;
/** a small write that comes later than this after the last one is no part of a burst, and nothing is arranged for those that follow */
const burstMs = 0.05;

const nothing: Bytes = /* @__PURE__ */ new Uint8Array(0);

/**
 * Makes a {@link BytePipe} of a socket (takes it): connected, connecting, or just accepted.
 *
 * - Nagle's algorithm is off and half-close is on, whatever the socket was made with. TCP keepalive is on after a minute of silence:
 *   a visitor or target that has vanished is found out, and its channel is free again.
 * - What comes before `start` waits for it; an error before `start` waits too, and never becomes an unhandled `error` event.
 * - `pause` holds back bytes; `end` may still come when no bytes are left.
 * - `close` sends what was written before it closes the socket.
 * - `abort` resets a TCP connection, so that the other side sees an error and not the end of the data. Other kinds of sockets are closed.
 * - After `abort` or `closed`, `write` gives false and drops the bytes.
 *
 * @throws SshError `misuse` from `start` when called twice, from `write` after `end`, and here when the socket decodes text
 * @example
 * server.on("connection", (socket) => void connection(socketPipe(socket)));
 */
export function socketPipe(socket: Socket): BytePipe {
  if (socket.readableEncoding !== null) {
    throw new SshError("misuse", `expected a socket that reads bytes, got one that decodes ${socket.readableEncoding}`);
  }
  return new SocketPipe(socket, false);
}

/** All sockets of {@link connectPiped} read into it, and each read is handed on before the next one begins. */
let readBuffer: Bytes | undefined;

/** Begins to connect; the socket has a pipe, see {@link pipeOf}, and emits no `data`. */
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

/** Where a socket keeps its pipe, so that thousands of sockets share their listeners. */
const pipeKey = /* @__PURE__ */ Symbol("pipe");
type PipedSocket = Socket & { [pipeKey]: SocketPipe };

/** The pipe of a socket that has one. */
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
  | { readonly at: "told" };
const open: Life = { at: "open" };
const told: Life = { at: "told" };

class SocketPipe implements BytePipe, TurnListener {
  readonly #socket: Socket;
  /** made by us: it is TCP, and reads come by `read` */
  readonly #dialled: boolean;
  #sink: PipeSink | undefined;
  #corks = true;
  #paused = false;
  /** a write gave false and `drain` has not been called since */
  #owesDrain = false;
  #ended = false;
  /** handed to the socket, which may still read them */
  #unwritten: Bytes[] | undefined;
  #unwrittenSize = 0;
  /** writes of this turn of the event loop, without a small one that came alone */
  #wrote = 0;
  #lastSmallAt = 0;
  /** closed by us: what comes in is dropped */
  #dropping = false;
  #peer: "sending" | "ended" | "told" = "sending";
  #aborted: Error | undefined;
  #life = open;

  constructor(socket: Socket, dialled: boolean) {
    this.#socket = socket;
    this.#dialled = dialled;
    (socket as PipedSocket)[pipeKey] = this;
    socket.pause();
    socket.setNoDelay(true);
    socket.setKeepAlive(true, keepAliveDelayMs);
    socket.allowHalfOpen = true;
    // 'close' follows every error and knows it; without a listener Node would throw it instead.
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
    this.#corks = cork;
    if (!this.#dialled) {
      // A Buffer behaves unlike a Uint8Array (slice), and those above are to see the latter.
      this.#socket.on("data", (chunk: Bytes) =>
        this.#deliver(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length)),
      );
    }
    if (!this.#paused) this.#socket.resume();
    queueMicrotask(() => this.#report());
  }

  /** What a socket of {@link connectPiped} read; the memory is used again. */
  read(chunk: Bytes): void {
    this.#deliver(this.#sink?.memory?.borrows === true ? chunk : chunk.slice());
  }

  write(chunk: Bytes): boolean {
    if (this.#socket.destroyed || this.#aborted) return false;
    if (this.#ended) throw new SshError("misuse", "expected no write after end, got one");
    if (chunk.length === 0) return !this.#owesDrain;
    const more = this.#gather(chunk);
    if (!more) this.#owesDrain = true;
    const written = this.#sink?.memory?.written;
    if (written !== undefined) this.#reportOnceWritten(chunk, written);
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
    if (this.#sink) this.#socket.resume();
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
    // libuv cannot reset while its shutdown() is under way (EINVAL), and Node then loses the handle without 'close'.
    const shuttingDown = writableEnded && !writableFinished && writableLength === 0 && !connecting;
    if (shuttingDown) this.#socket.once("finish", () => this.#reset());
    else this.#reset();
  }

  #reset(): void {
    // Node would let a connection attempt go on, only to reset what it gives.
    if (this.#socket.connecting) {
      this.#socket.destroy();
      return;
    }
    try {
      this.#socket.resetAndDestroy();
    } catch {
      // ERR_INVALID_HANDLE_TYPE: no plain TCP, nothing to reset.
      this.#socket.destroy();
    }
  }

  #deliver(chunk: Bytes): void {
    if (!this.#aborted && !this.#dropping) this.#sink?.data(chunk);
  }

  /** The socket's `end`. */
  peerEnded(): void {
    const { writable, writableLength } = this.#socket;
    // libuv reports a reset that follows unread bytes as the end of the data; writing, even nothing, tells them apart.
    // Not so on a Unix socket, where writing to somebody who said everything and left is an error too.
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

  /** The socket's `close`. */
  gone(): void {
    const { readableEnded, writableFinished, errored } = this.#socket;
    const complete = (readableEnded || this.#dropping) && writableFinished && !errored;
    const error = this.#aborted ?? (complete ? undefined : lost(errored));
    if (error) this.#peer = "told";
    else if (this.#peer === "sending") this.#peer = "ended";
    this.#life = { at: "closed", error };
    this.#report();
  }

  /** What is written in one turn of the event loop leaves in one system call, within limits. */
  #gather(chunk: Bytes): boolean {
    const socket = this.#socket;
    const small = chunk.length < smallWrite;
    if (this.#wrote === 0) {
      if (small && this.#comesAlone()) return socket.write(chunk);
      atEndOfTurn(this);
    }
    this.#wrote++;
    const first = this.#wrote === 1;
    const waits = !this.#corks ? small && !first : !(small && first) && chunk.length < largeWrite;
    if (waits && socket.writableCorked === 0) socket.cork();
    const more = socket.write(chunk);
    if (!this.#corks || socket.writableCorked === 0) return more;
    // What merely waits for the end of the turn is no reason to stop: a writer who has to stop counts as slow.
    if (socket.writableLength < mostGathered) return true;
    socket.uncork();
    return socket.writableLength === 0;
  }

  #comesAlone(): boolean {
    const now = performance.now();
    const alone = now - this.#lastSmallAt > burstMs;
    this.#lastSmallAt = now;
    return alone;
  }

  /** The event loop has seen to all sockets that were ready. */
  turnIsOver(): void {
    this.#wrote = 0;
    if (this.#socket.writableCorked === 0) return;
    this.#socket.uncork();
    this.drained();
  }

  /** The socket's `drain`, or what may be as much. */
  drained(): void {
    this.#reportWritten();
    this.#report();
  }

  #reportOnceWritten(chunk: Bytes, written: (chunk: Bytes) => void): void {
    // Usually the system has accepted it by now.
    if (this.#unwrittenSize + this.#socket.writableLength === 0) return written(chunk);
    this.#unwritten ??= [];
    this.#unwritten.push(chunk);
    this.#unwrittenSize += chunk.length;
    this.#reportWritten();
  }

  #reportWritten(): void {
    // In order: what the socket still counts is the end of what it was given. A steady trickle may never let it count nothing.
    const unwritten = this.#unwritten;
    for (let first = unwritten?.[0]; first !== undefined; first = unwritten?.[0]) {
      if (this.#unwrittenSize - first.length < this.#socket.writableLength) return;
      unwritten?.shift();
      this.#unwrittenSize -= first.length;
      this.#sink?.memory?.written?.(first);
    }
  }

  /** Tells the sink what it has not heard yet, in order. */
  #report(): void {
    const sink = this.#sink;
    if (!sink) return;
    const { writable, writableNeedDrain } = this.#socket;
    if (this.#owesDrain && writable && !writableNeedDrain) {
      this.#owesDrain = false;
      sink.drain();
    }
    if (this.#peer === "ended" && !this.#aborted) {
      this.#peer = "told";
      sink.end();
    }
    if (this.#life.at === "closed") {
      const { error } = this.#life;
      this.#life = told;
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
