/** Promises of an end. @module */

/** A promise that nobody has to look at, and what settles it: with an error, or without one. */
export interface Settleable {
  readonly promise: Promise<void>;
  settle(error?: unknown): void;
}

export function settleable(): Settleable {
  let settle: Settleable["settle"] = () => {};
  const promise = new Promise<void>((resolve, reject) => {
    settle = (error) => (error === undefined ? resolve() : reject(error));
  });
  promise.catch(() => {});
  return { promise, settle };
}
