/** A forwarding without a tunnel: visitors that a test pushes, for the loops that accept them. @module */

/** Several loops may share it, one after the other or at once. */
export interface VisitorQueue<T> extends AsyncIterable<T> {
  /** A visitor comes: the first waiting loop gets it, otherwise the next one. */
  push(visitor: T): void;
  /** The forwarding is cancelled: loops end after the visitors that wait. */
  end(): void;
}

/**
 * Like a forwarding, its iterators own nothing: `return` settles the `next` that waits, and no visitor is lost.
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
