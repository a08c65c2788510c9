/** Channels that wait, each for the same time. @module */

/** Ids with a deadline, oldest first. The time of a call is not known, so the next tick starts the wait. */
export class Deadlines {
  readonly #ms: number;
  readonly #at = new Map<number, number>();
  readonly #new = new Set<number>();

  constructor(ms: number) {
    this.#ms = ms;
  }

  add(id: number): void {
    this.#new.add(id);
  }

  has(id: number): boolean {
    return this.#at.has(id) || this.#new.has(id);
  }

  delete(id: number): void {
    this.#at.delete(id);
    this.#new.delete(id);
  }

  /** The earliest deadline. */
  next(now: number): number | undefined {
    if (this.#at.size > 0) for (const at of this.#at.values()) return at;
    return this.#new.size === 0 ? undefined : now + this.#ms;
  }

  /** Removes and returns the ids whose deadline has passed. */
  due(now: number): readonly number[] {
    if (this.#at.size + this.#new.size === 0) return none;
    for (const id of this.#new) if (!this.#at.has(id)) this.#at.set(id, now + this.#ms);
    this.#new.clear();
    const due: number[] = [];
    for (const [id, at] of this.#at) {
      if (at > now) break;
      this.#at.delete(id);
      due.push(id);
    }
    return due;
  }
}

const none: readonly number[] = [];
