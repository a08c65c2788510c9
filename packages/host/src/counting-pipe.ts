/** A byte pipe that counts what passes through it. @module */
import type { BytePipe, PipeSink } from "@postern/ssh";

/** The bytes a pipe has carried. */
export interface Traffic {
  bytesIn: number;
  bytesOut: number;
}

/** Options of {@link countingPipe}. */
export interface PipeWatcher {
  readonly traffic: Traffic;
  /** Called once when the pipe is closed, after the sink's `closed`. */
  readonly closed?: () => void;
}

/** Returns the same pipe (takes it), but counts its bytes: `bytesIn` are delivered by the pipe, `bytesOut` written to it. */
export function countingPipe(pipe: BytePipe, { traffic, closed }: PipeWatcher): BytePipe {
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
