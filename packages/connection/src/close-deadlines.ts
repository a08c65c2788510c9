/** Deadlines of channels that should close. @module */
import * as Limits from "@postern/wire/limits";

const none: readonly number[] = [];

/** Limits how long a channel may stay open after it should have closed. Ids are removed when their deadline passes. */
export class CloseDeadlines {
  /** channels with EOF in both directions that the peer should close, because it opened them */
  readonly #grace = new Deadlines(Limits.closeGraceMs);
  /** channels whose CLOSE waits for window */
  readonly #stall = new Deadlines(Limits.closeStallMs);
  /** window that such a channel received since its deadline was set, in bytes */
  readonly #credit = new Map<number, number>();

  /** The peer should close the channel. */
  expectClose(id: number): void {
    this.#grace.add(id);
  }

  /** Our CLOSE follows once the peer has extended the window. */
  expectWindow(id: number): void {
    this.#stall.add(id);
  }

  /**
   * The peer has extended the window. The deadline starts again once it has granted a packet. If every byte extended
   * it, a peer could keep the channel open forever.
   */
  granted(id: number, bytes: number): void {
    if (!this.#stall.has(id)) return;
    const credit = (this.#credit.get(id) ?? 0) + bytes;
    if (credit < Limits.closeStallCredit) this.#credit.set(id, credit);
    else this.#endStall(id);
  }

  delete(id: number): void {
    this.#grace.delete(id);
    this.#endStall(id);
  }

  /** Returns the earliest deadline. */
  next(now: number): number | undefined {
    const a = this.#grace.next(now);
    const b = this.#stall.next(now);
    return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
  }

  /** Returns the channels that the peer did not close in time. */
  notClosed(now: number): readonly number[] {
    return this.#grace.due(now);
  }

  /** Returns the channels whose CLOSE still waits for window. */
  stalled(now: number): readonly number[] {
    const due = this.#stall.due(now);
    for (const id of due) this.#credit.delete(id);
    return due;
  }

  #endStall(id: number): void {
    this.#stall.delete(id);
    this.#credit.delete(id);
  }
}

/** Ids with the same wait, oldest first. The time of `add` is not known, so the wait starts at the next `due`. */
class Deadlines {
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
