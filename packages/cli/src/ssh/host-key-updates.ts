/** UpdateHostKeys: keeps the connection until the keys that the server announced are learned. @module */
import { onAbort } from "@postern/ssh";
import type { HostKeyCheck, HostKeyVerifier } from "@postern/tunnel";

/** The updates of known_hosts that are under way. */
export interface HostKeyUpdates {
  /** Returns a check that decides as the given one, and whose updates count here. */
  observe(check: HostKeyCheck): HostKeyCheck;
  /** Resolves once no update is under way, or the signal aborts. Never rejects. */
  settled(signal: AbortSignal): Promise<void>;
}

/**
 * Creates the list. ssh asks for the proof of a new key as soon as it is announced, so the proof arrives ahead of the
 * output of the program. Here the files are read first, and a program that ends at once would be faster.
 */
export function createHostKeyUpdates(): HostKeyUpdates {
  const running = new Set<Promise<void>>();
  return {
    observe(check) {
      if (typeof check !== "object" || check.updateHostKeys === undefined) return check;
      const verifier: HostKeyVerifier = check;
      return {
        ...verifier,
        async updateHostKeys(offer, announcement) {
          const update = (async () => verifier.updateHostKeys?.(offer, announcement))();
          running.add(update);
          try {
            await update;
          } finally {
            running.delete(update);
          }
        },
      };
    },
    async settled(signal) {
      if (running.size === 0) return;
      let stop: (() => void) | undefined;
      const aborted = new Promise<void>((resolve) => {
        stop = onAbort(signal, resolve);
      });
      await Promise.race([Promise.allSettled(running), aborted]);
      stop?.();
    },
  };
}
