/** Repeats work on request, such as a reload for each SIGHUP. @module */

/**
 * Returns a function that requests a run of `work`, which must not reject. Runs do not overlap. Requests during a run
 * share one more run, which begins after them, so that none is missed and no queue grows.
 */
export function runAgain(work: () => Promise<void>): () => void {
  let state: "idle" | "running" | "requested" = "idle";
  const run = async (): Promise<void> => {
    do {
      state = "running";
      await work();
    } while ((state as string) === "requested");
    state = "idle";
  };
  return () => {
    if (state === "idle") void run();
    else state = "requested";
  };
}
