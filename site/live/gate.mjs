/** Delivers the pieces of a link: one after the other, or one for each step. @module */

/** `deliver` is called with the next piece. */
export class Gate {
  isRunning = false;
  delayMs = 100;
  #link;
  #deliver;
  #timer;
  /** Steps that were asked for while nothing was in flight. */
  #waiting = 0;

  constructor(link, deliver) {
    this.#link = link;
    this.#deliver = deliver;
  }

  run() {
    this.isRunning = true;
    this.#waiting = 0;
    this.changed();
  }

  pause() {
    this.isRunning = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Delivers the next piece, now or once there is one. Returns whether there was one. */
  step() {
    const { next } = this.#link;
    if (next === undefined) this.#waiting = 1;
    else this.#deliver(next);
    return next !== undefined;
  }

  /** A piece may be deliverable now. */
  changed() {
    if (this.#link.next === undefined || this.#timer !== undefined) return;
    if (!this.isRunning && this.#waiting === 0) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        const { next } = this.#link;
        if (next === undefined) return;
        this.#waiting = 0;
        this.#deliver(next);
        this.changed();
      },
      this.isRunning ? this.delayMs : 0,
    );
  }
}
