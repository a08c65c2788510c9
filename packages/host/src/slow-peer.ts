/** Visitors and targets that do not read what is left of a channel that has ended. @module */
import type { BytePipe } from "@postern/ssh";
import { SshError } from "@postern/wire";
import * as Limits from "@postern/wire/limits";

/** The ends of a channel's pipe, which call these. */
export interface SlowPeer {
  /** The channel was released, so the pipe has `Limits.closeStallMs` to close. */
  released(): void;
  /** The pipe has closed. */
  closed(): void;
}

/** Returns the functions that abort a pipe if it has not closed in time after its channel was released. */
export function expectClose(pipe: BytePipe): SlowPeer {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isClosed = false;
  return {
    released() {
      if (isClosed || timer !== undefined) return;
      const late = new SshError("timeout", `expected the peer to read the rest within ${Limits.closeStallMs} ms`);
      timer = setTimeout(() => pipe.abort(late), Limits.closeStallMs);
    },
    closed() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}
