/** A byte pipe that counts bytes. @module */
import type { BytePipe, PipeSink } from "@postern/ssh";

/** Bytes transferred so far. */
export interface Traffic {
  bytesIn: number;
  bytesOut: number;
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
        drain: () => sink.drain(),
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
      return pipe.write(chunk);
    },
    end: () => pipe.end(),
    pause: () => pipe.pause(),
    resume: () => pipe.resume(),
    close: () => pipe.close(),
    abort: (reason) => pipe.abort(reason),
  };
}
