/** Between byte pipes (push) and WHATWG streams (pull), in both directions. @module */
import { type ArrayBufferBytes, type Bytes, describeType, SshError } from "@postern/wire";
import type { BytePipe, PipeSink } from "./byte-pipe.ts";

/** A byte pipe as a pair of streams. */
export interface ByteStreams {
  readonly readable: ReadableStream<Bytes>;
  readonly writable: WritableStream<Bytes>;
}

interface Waiter {
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * The stream view of a pipe; it starts the pipe. A chunk is taken from the pipe when a reader asks for it, a write is
 * done when the pipe took it. Cancelling the reading side throws the rest away; aborting the writing side aborts the pipe.
 */
export function streamsFromPipe(pipe: BytePipe): ByteStreams {
  const { readable, writable } = openStreams(pipe);
  return { readable, writable };
}

/** Streams of a pipe that may refuse writes before it has delivered everything, as a channel does. */
export interface ChannelStreams extends ByteStreams {
  readonly readable: ReadableStream<ArrayBufferBytes>;
  /** Nothing more is sent: a write that waits rejects, and so does every later one. */
  endWriting(error: Error | undefined): void;
}

/** {@link streamsFromPipe}, for a channel. */
export function openStreams(pipe: BytePipe): ChannelStreams {
  let reading = true;
  let failure: Error | undefined;
  let drained: Waiter | undefined;
  let controller: ReadableStreamDefaultController<ArrayBufferBytes> | undefined;
  let writing: WritableStreamDefaultController | undefined;
  const readable = new ReadableStream<ArrayBufferBytes>(
    {
      start(made) {
        controller = made;
      },
      pull: () => pipe.resume(),
      cancel() {
        reading = false;
        pipe.resume();
      },
    },
    { highWaterMark: 0 },
  );
  const writable = new WritableStream<Bytes>({
    start(made) {
      writing = made;
    },
    write(chunk) {
      if (failure !== undefined) throw failure;
      if (pipe.write(chunk)) return undefined;
      return new Promise<void>((resolve, reject) => {
        drained = { resolve, reject };
      });
    },
    close: () => pipe.end(),
    abort: (reason) =>
      pipe.abort(
        reason instanceof Error ? reason : new SshError("aborted", "the writer was aborted", { cause: reason }),
      ),
  });
  const endWriting = (error: Error | undefined): void => {
    failure ??= error ?? new SshError("closed", "expected an open pipe, got a write after it closed");
    drained?.reject(failure);
    drained = undefined;
    // Not so after a clean end: to close a writer then is no mistake.
    if (error !== undefined) writing?.error(error);
  };
  pipe.pause();
  pipe.start({
    data(chunk) {
      if (!reading) return;
      controller?.enqueue(chunk as ArrayBufferBytes);
      pipe.pause();
    },
    end() {
      if (reading) controller?.close();
      reading = false;
    },
    drain() {
      drained?.resolve();
      drained = undefined;
    },
    closed(error) {
      endWriting(error);
      if (reading && error === undefined) controller?.close();
      else if (reading) controller?.error(error);
      reading = false;
    },
  });
  return { readable, writable, endWriting };
}

/**
 * A pipe over a pair of streams (takes both), such as those of a runtime's TCP socket. The pipe breaks with `misuse` when the readable
 * one holds other chunks than `Uint8Array`.
 *
 * @throws SshError `misuse` when there are no two streams, or one of them is locked
 * @example
 * const pipe = pipeFromStreams(await Deno.connect({ hostname: "ssh.example.com", port: 22 }));
 */
export function pipeFromStreams(streams: ByteStreams): BytePipe {
  const [reader, writer] = lock(streams);
  let sink: PipeSink | undefined;
  let paused = false;
  let reading = false;
  let blocked = false;
  let writing = 0;
  let readDone = false;
  let writeDone = false;
  let closed = false;
  let failure: Error | undefined;

  const finish = (error?: Error): void => {
    if (closed || (error === undefined && !(readDone && writeDone))) return;
    closed = true;
    failure = error;
    sink?.closed(error);
  };
  const fail = (cause: unknown): void => {
    if (closed) return;
    const error = cause instanceof Error ? cause : new SshError("closed", `the stream failed: ${String(cause)}`);
    reader.cancel(error).catch(ignore);
    writer.abort(error).catch(ignore);
    finish(error);
  };
  // Not the writer's `ready`: now and then workerd never settles it, with everything written and room again.
  const wrote = (): void => {
    writing--;
    if (!blocked || closed || (writing > 0 && (writer.desiredSize ?? 0) <= 0)) return;
    blocked = false;
    sink?.drain();
  };
  const read = async (): Promise<void> => {
    if (reading) return;
    reading = true;
    try {
      while (!paused && !readDone && !closed) {
        const { done, value } = await reader.read();
        if (closed) return;
        if (!done) {
          if (!(value instanceof Uint8Array)) {
            throw new SshError("misuse", `expected chunks of type Uint8Array, got ${describeType(value)}`);
          }
          sink?.data(value);
        } else {
          readDone = true;
          sink?.end();
          finish();
        }
      }
    } catch (error) {
      fail(error);
    } finally {
      reading = false;
    }
  };

  return {
    start(given) {
      sink = given;
      if (failure !== undefined) queueMicrotask(() => given.closed(failure));
      void read();
    },
    write(chunk) {
      writing++;
      writer.write(chunk).then(wrote, fail);
      blocked ||= (writer.desiredSize ?? 0) <= 0;
      return !blocked;
    },
    end() {
      if (writeDone) return;
      writeDone = true;
      writer.close().then(() => finish(), fail);
    },
    pause() {
      paused = true;
    },
    resume() {
      paused = false;
      if (sink !== undefined) void read();
    },
    close() {
      if (closed) return;
      readDone = true;
      reader.cancel().catch(ignore);
      if (writeDone) finish();
      this.end();
    },
    abort: (reason) => fail(reason ?? new SshError("aborted", "the pipe was aborted")),
  };
}

function lock(streams: ByteStreams) {
  try {
    return [streams.readable.getReader(), streams.writable.getWriter()] as const;
  } catch (cause) {
    const got = [streams?.readable, streams?.writable].map(describeType).join(" and ");
    throw new SshError("misuse", `expected a readable and a writable stream that are not locked, got ${got}`, {
      cause,
    });
  }
}

function ignore(): void {}
