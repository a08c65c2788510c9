/** Converts byte pipes (push) to WHATWG streams (pull), and back. @module */
import { type ArrayBufferBytes, type Bytes, describeType, SshError } from "@postern/wire";
import type { BytePipe, PipeSink } from "./byte-pipe.ts";
import { deferred, type Settler } from "./deferred.ts";

/** A byte pipe as a pair of streams. */
export interface ByteStreams {
  readonly readable: ReadableStream<Bytes>;
  readonly writable: WritableStream<Bytes>;
}

/**
 * Returns the streams of a pipe (takes it) and starts the pipe. A chunk is read from the pipe when a reader asks for
 * it. A write resolves when the pipe accepts more. Cancelling the readable stream drops the rest of the input; aborting
 * the writable stream aborts the pipe.
 */
export function streamsFromPipe(pipe: BytePipe): ByteStreams {
  const { readable, writable } = openStreams(pipe);
  return { readable, writable };
}

/** Streams of a pipe whose writing side may end before everything is read, such as a channel. */
export interface ChannelStreams extends ByteStreams {
  readonly readable: ReadableStream<ArrayBufferBytes>;
  /** Rejects the pending write and every later one. */
  endWriting(error: Error | undefined): void;
}

/** Does the same as {@link streamsFromPipe}, and returns `endWriting` too, which a channel needs. */
export function openStreams(pipe: BytePipe): ChannelStreams {
  let reading = true;
  let failure: Error | undefined;
  let pendingWrite: Settler<void> | undefined;
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
      const write = deferred();
      pendingWrite = write;
      return write.promise;
    },
    close: () => pipe.end(),
    abort: (reason) =>
      pipe.abort(
        reason instanceof Error ? reason : new SshError("aborted", "the writer was aborted", { cause: reason }),
      ),
  });
  const endWriting = (error: Error | undefined): void => {
    failure ??= error ?? new SshError("closed", "expected an open pipe, got a write after it closed");
    pendingWrite?.reject(failure);
    pendingWrite = undefined;
    // After a clean end the writer may still be closed.
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
      pendingWrite?.resolve();
      pendingWrite = undefined;
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
 * Returns a pipe over a pair of streams (takes both), such as those of a runtime's TCP socket. The pipe fails with
 * `misuse` if the readable stream delivers chunks other than `Uint8Array`.
 *
 * @throws SshError `misuse` if one of the streams is missing or locked
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
  // The writer's `ready` is unreliable: workerd sometimes never settles it, even though everything is written.
  const onWritten = (): void => {
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
      writer.write(chunk).then(onWritten, fail);
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
    throw new SshError("misuse", `expected a readable and a writable stream, both unlocked, got ${got}`, {
      cause,
    });
  }
}

function ignore(): void {}
