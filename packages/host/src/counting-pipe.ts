/** A byte pipe that counts bytes. @module */
import type { BytePipe, PipeSink } from "@postern/ssh";

/** Bytes transferred so far. */
export interface Traffic {
  bytesIn: number;
  bytesOut: number;
  /** Written bytes wait for the peer to read them. */
  isBlocked?: boolean;
  /** Nothing is read from the pipe. */
  isPaused?: boolean;
}

/** Options of {@link countingPipe}. */
export interface CountingOptions {
  readonly traffic: Traffic;
  /** Called once, after the sink's `closed`. */
  readonly closed?: () => void;
}

/** Wraps a pipe and takes it over. `bytesIn` counts what the pipe delivers, `bytesOut` what is written to it. */
export function countingPipe(pipe: BytePipe, { traffic, closed }: CountingOptions): BytePipe {
  return {
    memory: pipe.memory,
    start(sink, options) {
      const counting: PipeSink = {
        memory: sink.memory,
        data(chunk) {
          traffic.bytesIn += chunk.length;
          sink.data(chunk);
        },
        end: () => sink.end(),
        drain() {
          traffic.isBlocked = false;
          sink.drain();
        },
        closed(error) {
          try {
            sink.closed(error);
          } finally {
            closed?.();
          }
        },
      };
      pipe.start(counting, options);
    },
    write(chunk) {
      traffic.bytesOut += chunk.length;
      const isFree = pipe.write(chunk);
      traffic.isBlocked = !isFree;
      return isFree;
    },
    end: () => pipe.end(),
    pause() {
      traffic.isPaused = true;
      pipe.pause();
    },
    resume() {
      traffic.isPaused = false;
      pipe.resume();
    },
    close: () => pipe.close(),
    abort: (reason) => pipe.abort(reason),
  };
}
