/** The orders of the benchmark to a program in a runtime, one after the other. @module */
import type { Answers } from "../../../integration/runtimes/control.ts";
import { clockMs } from "../orders.ts";
import type { Answer, Order } from "./orders.ts";

const timeoutMs = 30_000;

export interface Conversation {
  /** For the server that the program asks. */
  readonly answers: Answers;
  /** Sends an order. Resolves with the answer, and the milliseconds until it came. @throws Error of the program */
  ask(order: Order): Promise<Answer & { readonly ms: number }>;
  /** Resolves once the program has started. */
  readonly started: Promise<Answer>;
  /** Rejects what waits for an answer. */
  fail(error: Error): void;
}

export function createConversation(): Conversation {
  let give: ((order: Order) => void) | undefined;
  let take: PromiseWithResolvers<Answer> = deferred();
  const started = take.promise;
  const answered = (answer: Answer): Promise<Order> => {
    const next = new Promise<Order>((resolve) => {
      give = resolve;
    });
    if (answer.error === undefined) take.resolve(answer);
    else take.reject(new Error(answer.error));
    return next;
  };
  return {
    answers: { "/next": (body) => answered(body as Answer) },
    started: limited(started),
    async ask(order) {
      take = deferred();
      if (give === undefined) throw new Error("expected the program to have started");
      const began = clockMs();
      give(order);
      const answer = await limited(take.promise);
      return { ...answer, ms: clockMs() - began };
    },
    fail: (error) => take.reject(error),
  };
}

function limited<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`expected an answer of the program in ${timeoutMs} ms`)), timeoutMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

interface PromiseWithResolvers<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

function deferred<T>(): PromiseWithResolvers<T> {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<T>((resolved, rejected) => {
    resolve = resolved;
    reject = rejected;
  });
  // A program that ends early rejects promises before they are awaited.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
