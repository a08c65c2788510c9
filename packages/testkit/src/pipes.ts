/** Common ends of a byte pipe. @module */
import type { BytePipe, PipeSink } from "@postern/ssh";
import { fromUtf8 } from "@postern/wire";

/** Writes back everything that arrives, and ends when the peer ends. */
export function echo(pipe: Pick<BytePipe, "start" | "write" | "end">): void {
  pipe.start({
    data: (chunk) => void pipe.write(chunk),
    end: () => pipe.end(),
    drain() {},
    closed() {},
  });
}

/** The record of {@link received}. */
export interface Received {
  text: string;
  /** The peer has ended. */
  ended: boolean;
  closed: boolean;
  error: Error | undefined;
}

/** Starts a pipe and records what it receives. The record changes as more arrives. */
export function received(pipe: Pick<BytePipe, "start">, sink: Partial<PipeSink> = {}): Received {
  const record: Received = { text: "", ended: false, closed: false, error: undefined };
  pipe.start({
    data(chunk) {
      record.text += fromUtf8(chunk);
    },
    end() {
      record.ended = true;
      sink.end?.();
    },
    drain() {},
    closed(error) {
      record.closed = true;
      record.error = error;
      sink.closed?.(error);
    },
  });
  return record;
}

/** Starts a pipe and ends it when the peer ends. Resolves with what it received once the pipe has closed. */
export function readToEnd(pipe: Pick<BytePipe, "start" | "end">): Promise<Received> {
  return new Promise((resolve) => {
    const record = received(pipe, { end: () => pipe.end(), closed: () => resolve(record) });
  });
}

/** Returns the methods of a pipe as a plain object, so that a test can replace some. */
export function wrapped(pipe: BytePipe): BytePipe {
  return {
    start: (sink) => pipe.start(sink),
    write: (chunk) => pipe.write(chunk),
    end: () => pipe.end(),
    pause: () => pipe.pause(),
    resume: () => pipe.resume(),
    close: () => pipe.close(),
    abort: (reason) => pipe.abort(reason),
  };
}
