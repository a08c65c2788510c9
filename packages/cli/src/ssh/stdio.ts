/** Joins a channel with standard input and output, without loss and with backpressure. @module */
import type { Readable, Writable } from "node:stream";
import type { Channel, ExtendedDataSink } from "@postern/ssh";
import type { Bytes } from "@postern/wire";

/** The streams of a process. */
export interface Stdio {
  /** `undefined`: the channel gets EOF at once, as with `-n` */
  readonly stdin: Readable | undefined;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/** Options of {@link joinStdio}. */
export interface JoinOptions extends Stdio {
  /** changes what standard input sends, for escape characters */
  readonly filter?: ((bytes: Bytes) => Bytes) | undefined;
  /** Called once if standard output cannot be written, for example because its reader has gone. */
  readonly onOutputClosed?: (() => void) | undefined;
}

/** A channel that is joined with the streams of the process. */
export interface JoinedStdio {
  /**
   * Resolves when the channel is closed and its output is written. Rejects if the connection breaks first, also after
   * the output that has arrived is written.
   */
  readonly closed: Promise<void>;
  /** Reads standard input no more, and sends EOF if it did not end before. */
  endInput(): void;
  /** Reads standard input no more, and closes the channel. */
  close(): void;
}

/** Copies standard input to the channel, and its output to standard output (takes the channel). */
export function joinStdio(channel: Channel, options: JoinOptions): JoinedStdio {
  const { stdin, stdout, filter, onOutputClosed } = options;
  let inputOpen = true;
  let outputOpen = true;
  const endInput = (): void => {
    if (!inputOpen) return;
    inputOpen = false;
    release();
    channel.end();
  };
  const onData = (chunk: Bytes): void => {
    const bytes = filter === undefined ? chunk : filter(chunk);
    if (inputOpen && bytes.length > 0 && !channel.write(bytes)) stdin?.pause();
  };
  const onError = (): void => endInput();
  const release = (): void => {
    stdin?.off("data", onData).off("end", endInput).off("error", onError);
    stdin?.pause();
  };
  const failed = (): void => {
    if (!outputOpen) return;
    outputOpen = false;
    // What still arrives is dropped, as ssh drops it.
    channel.resume();
    onOutputClosed?.();
  };
  const drained = (): void => channel.resume();
  stdout.on("error", failed).on("drain", drained);
  const closed = new Promise<void>((resolve, reject) => {
    channel.start({
      data(chunk) {
        if (outputOpen && !stdout.write(chunk)) channel.pause();
      },
      end: () => {},
      drain: () => stdin?.resume(),
      closed(error) {
        inputOpen = false;
        release();
        void flush(stdout).then(() => {
          stdout.off("drain", drained);
          if (error === undefined) resolve();
          else reject(error);
        });
      },
    });
  });
  if (stdin === undefined) endInput();
  else {
    stdin.on("data", onData).once("end", endInput).once("error", onError);
    stdin.resume();
  }
  const close = (): void => {
    inputOpen = false;
    release();
    channel.close();
  };
  return { closed, endInput, close };
}

/** Creates the receiver of a session's standard error. Bytes count as received once the stream has taken them. */
export function stderrSink(stderr: Writable): ExtendedDataSink {
  return {
    data(chunk, _type, consumed) {
      const { length } = chunk;
      stderr.write(chunk.slice(), () => consumed(length));
    },
    end: () => {},
  };
}

/** Resolves when everything that was written has left, or cannot. */
export function flush(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.errored !== null || stream.writableLength === 0) return resolve();
    stream.once("error", () => resolve());
    stream.write(new Uint8Array(0), () => resolve());
  });
}
