/** Deadlines of channels that all wait for the same time. @module */

const none: readonly number[] = [];

/** Channel ids with a deadline, oldest first. The time of `add` is not known, so the wait starts at the next tick. */
export class Deadlines {
  readonly #ms: number;
  readonly #deadlines = new Map<number, number>();
  readonly #added = new Set<number>();

  constructor(ms: number) {
    this.#ms = ms;
  }

  add(id: number): void {
    this.#added.add(id);
  }

  has(id: number): boolean {
    return this.#deadlines.has(id) || this.#added.has(id);
  }

  delete(id: number): void {
    this.#deadlines.delete(id);
    this.#added.delete(id);
  }

  /** Returns the earliest deadline. */
  next(now: number): number | undefined {
    if (this.#deadlines.size > 0) for (const deadline of this.#deadlines.values()) return deadline;
    return this.#added.size === 0 ? undefined : now + this.#ms;
  }

  /** Removes and returns the ids whose deadline has passed. */
  due(now: number): readonly number[] {
    if (this.#deadlines.size + this.#added.size === 0) return none;
    for (const id of this.#added) if (!this.#deadlines.has(id)) this.#deadlines.set(id, now + this.#ms);
    this.#added.clear();
    const due: number[] = [];
    for (const [id, deadline] of this.#deadlines) {
      if (deadline > now) break;
      this.#deadlines.delete(id);
      due.push(id);
    }
    return due;
  }
}
