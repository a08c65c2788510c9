/** Reproducible decisions: the same seed leads to the same ones in the same order. @module */
import { randomBelow, seededRandom } from "@postern/testkit";

export class Dice {
  readonly #random: ReturnType<typeof seededRandom>;

  constructor(seed: string) {
    this.#random = seededRandom(seed);
  }

  /** Returns an integer from `lowest` to `highest`, both included. */
  between(lowest: number, highest: number): number {
    return lowest + randomBelow(this.#random, highest - lowest + 1);
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.between(0, items.length - 1)];
    if (item === undefined) throw new Error("expected items to choose from, got none");
    return item;
  }

  /** Yields the items again and again, each round in another order. */
  *rounds<Item>(items: readonly Item[]): Generator<Item, never> {
    for (;;) {
      const left = [...items];
      while (left.length > 0) yield* left.splice(this.between(0, left.length - 1), 1);
    }
  }
}
