/** Joins two byte pipes. @module */
import type { BytePipe } from "./byte-pipe.ts";

/**
 * Moves bytes both ways until both pipes are gone (takes both). Each direction half-closes by itself; whoever is slow stops
 * the other, and is credited only for what it took. An error on one side aborts the other, so a cut never looks like an end.
 */
export function pump(channel: BytePipe, target: BytePipe): void {
  join(channel, target);
  join(target, channel);
}

function join(from: BytePipe, to: BytePipe): void {
  from.start({
    data(chunk) {
      if (!to.write(chunk)) from.pause();
    },
    end: () => to.end(),
    drain: () => to.resume(),
    closed(error) {
      if (error === undefined) to.close();
      else to.abort(error);
    },
  });
}
