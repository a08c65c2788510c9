/** A byte pipe that counts what passes through it. @module */
import type { BytePipe } from "@postern/ssh";

/** What a pipe carried so far. */
export interface Traffic {
  bytesIn: number;
  bytesOut: number;
}

/** What {@link countingPipe} tells. */
export interface PipeWatcher {
  readonly traffic: Traffic;
  /** the pipe is gone; called once, after whoever uses the pipe has heard of it */
  readonly closed?: () => void;
}

/** The same pipe (takes it), watched: in is what it delivers, out what is written to it. */
export function countingPipe(pipe: BytePipe, { traffic, closed }: PipeWatcher): BytePipe {
  return {
    start(sink) {
      pipe.start({
        borrows: sink.borrows === true,
        gathers: sink.gathers === true,
        ...(sink.written && { written: (chunk) => sink.written?.(chunk) }),
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
      });
    },
    copies: pipe.copies === true,
    ...(pipe.reuse && { reuse: (chunk) => pipe.reuse?.(chunk) }),
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
