/** A clock that stops while the explorer is paused, so that no timeout of the protocol passes meanwhile. @module */

/**
 * Replaces `performance.now`, which both ends read. The options of tunnels and hosts do not include a clock.
 * Call `restore` when the connection has ended.
 */
export function pausableClock() {
  const own = Object.getOwnPropertyDescriptor(performance, "now");
  const real = performance.now.bind(performance);
  let lost = 0;
  /** @type {number | undefined} */
  let pausedAt;
  performance.now = () => (pausedAt ?? real()) - lost;
  return {
    pause() {
      pausedAt ??= real();
    },
    resume() {
      if (pausedAt !== undefined) lost += real() - pausedAt;
      pausedAt = undefined;
    },
    restore() {
      if (own === undefined) Reflect.deleteProperty(performance, "now");
      else Object.defineProperty(performance, "now", own);
    },
  };
}
