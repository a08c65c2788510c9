/** Runs that end early: by Ctrl-C, or by their time limit. @module */

/** Calls `measure` with a function that returns the reason to stop, once there is one. A second Ctrl-C ends all. */
export async function untilInterrupted(
  limitMinutes: number,
  measure: (over: () => string | undefined) => Promise<void>,
): Promise<void> {
  const until = Date.now() + limitMinutes * 60_000;
  let interrupted = false;
  const interrupt = (): void => {
    if (interrupted) process.exit(130);
    interrupted = true;
  };
  process.on("SIGINT", interrupt);
  try {
    await measure(() => (interrupted ? "interrupted" : Date.now() > until ? "the time limit is reached" : undefined));
  } finally {
    process.off("SIGINT", interrupt);
  }
}
