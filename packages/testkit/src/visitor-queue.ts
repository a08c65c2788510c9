/** A forwarding without a tunnel: a test pushes the visitors. @module */

/** Several loops may iterate over it, one after the other or at once. */
export interface VisitorQueue<T> extends AsyncIterable<T> {
  /** Adds a visitor. The loop that has waited longest receives it, or else the next `next()`. */
  push(visitor: T): void;
  /** Ends the loops, after the visitors in the queue. */
  end(): void;
}

/**
 * As with a forwarding, iterators do not own visitors: `return` settles a pending `next`, and no visitor is lost.
 *
 * @example
 * const forwarding = visitorQueue<BytePipe & { readonly origin: Target }>();
 * serve(forwarding, handler);
 * forwarding.push(Object.assign(ours, { origin }));
 */
export function visitorQueue<T>(): VisitorQueue<T> {
  const visitors: T[] = [];
  const waiting = new Set<(result: IteratorResult<T>) => void>();
  const done = { done: true, value: undefined } as const;
  let ended = false;
  return {
    push(visitor) {
      const [first] = waiting;
      if (first) first({ done: false, value: visitor });
      else visitors.push(visitor);
    },
    end() {
      ended = true;
      for (const settle of waiting) settle(done);
    },
    [Symbol.asyncIterator]() {
      const mine = new Set<() => void>();
      return {
        next: () =>
          new Promise((resolve) => {
            if (visitors.length > 0) resolve({ done: false, value: visitors.shift() as T });
            else if (ended) resolve(done);
            else {
              const settle = (result: IteratorResult<T>): void => {
                waiting.delete(settle);
                mine.delete(stop);
                resolve(result);
              };
              const stop = (): void => settle(done);
              waiting.add(settle);
              mine.add(stop);
            }
          }),
        return: () => {
          for (const stop of mine) stop();
          return Promise.resolve(done);
        },
      };
    },
  };
}
