/** A coverage-guided fuzzer: keeps each input that runs new code, and mutates the inputs it keeps. @module */
import { createHash } from "node:crypto";
import { joinMessages, mutate, mutateMessages, Randomness, splitMessages } from "./mutate.mjs";

/** Steps that a target may take: a fixed number, and more for each byte. A function of more than linear time fails. */
const stepsAtLeast = 20_000;
const stepsPerByte = 100;

/** Fuzzes one target. */
export class Fuzzer {
  #target;
  #counters;
  #random;
  #dictionary;
  /** by edge, the numbers of times that it has run in one execution, as bits */
  #seen = new Uint32Array(65_536);
  #corpus = [];
  executions = 0;
  /** edges that have run */
  edges = 0;

  constructor(target, counters, { seed, dictionary }) {
    this.#target = target;
    this.#counters = counters;
    this.#random = new Randomness(`${seed} ${target.name}`);
    this.#dictionary = [...(target.dictionary ?? []), ...dictionary];
    if (this.#dictionary.length === 0) this.#dictionary.push(new Uint8Array(4));
  }

  /** Inputs that are kept. */
  get inputs() {
    return this.#corpus;
  }

  /** Runs the seeds. Returns the first crash. */
  async begin() {
    for (const seed of this.#target.seeds()) {
      const crash = await this.#try(seed.slice());
      if (crash !== undefined) return crash;
    }
    if (this.#corpus.length === 0) this.#corpus.push(new Uint8Array(1));
    return undefined;
  }

  /** Runs `count` mutations. Returns the first crash, minimised. */
  async run(count) {
    const { maxBytes = 4096, shape } = this.#target;
    for (let left = count; left > 0; left--) {
      // Recent inputs are mutated more often, because they led to new code.
      const corpus = this.#corpus;
      const recent = this.#random.below(2) === 0;
      const from = recent ? Math.max(0, corpus.length - 1 - this.#random.below(16)) : this.#random.below(corpus.length);
      const change = shape === "messages" ? mutateMessages : mutate;
      const other = corpus[this.#random.below(corpus.length)];
      const crash = await this.#try(change(corpus[from], other, this.#dictionary, this.#random, maxBytes));
      if (crash !== undefined) return crash;
    }
    return undefined;
  }

  async #try(input) {
    const problem = await runOnce(this.#target, this.#counters, input);
    this.executions++;
    if (problem !== undefined) {
      const smallest = await minimise(this.#target, this.#counters, input, problem);
      return { target: this.#target, input: smallest, problem: await runOnce(this.#target, this.#counters, smallest) };
    }
    let isNew = false;
    this.#counters.forEachEdge((edge, count) => {
      const known = this.#seen[edge];
      if (known & (1 << count)) return;
      if (known === 0) this.edges++;
      this.#seen[edge] = known | (1 << count);
      isNew = true;
    });
    if (isNew) this.#corpus.push(input);
    return undefined;
  }
}

/** Runs a target on a copy of the input. Returns the problem as text, or `undefined`. */
export async function runOnce(target, counters, input) {
  const budget = target.steps ?? stepsAtLeast + stepsPerByte * input.length;
  counters.start(budget);
  let error;
  try {
    await target.run(input.slice());
  } catch (thrown) {
    error = thrown;
  }
  counters.stop();
  if (counters.spent) return `took more than ${budget} steps for ${input.length} bytes`;
  return problemOf(error, target.codes);
}

/** An SshError with a code of the target is an answer. Everything else is a problem, also as its cause. */
function problemOf(error, codes) {
  if (error === undefined) return undefined;
  if (error?.name !== "SshError") return describe(error);
  if (!codes.includes(error.code)) return `SshError ${error.code}: ${error.message}`;
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    if (["TypeError", "RangeError", "ReferenceError"].includes(cause.name)) return `as a cause: ${describe(cause)}`;
  }
  return undefined;
}

function describe(error) {
  if (!(error instanceof Error)) return `threw ${String(error)}`;
  const place = error.stack
    ?.split("\n")
    .find((line) => line.trim().startsWith("at "))
    ?.trim()
    .replace(/ \(.*/, "");
  return `${error.name}: ${error.message} ${place ?? ""}`;
}

/** Removes parts, then clears bytes, while the input fails in the same way. */
async function minimise(target, counters, input, problem) {
  // Numbers and quoted texts depend on the input.
  const kind = (text) => text?.replace(/\d+|"[^"]*"/g, "…");
  const failsAlike = async (one) => kind(await runOnce(target, counters, one)) === kind(problem);
  let best = input;
  if (target.shape === "messages") {
    for (let at = splitMessages(best).length - 1; at >= 0; at--) {
      const shorter = joinMessages(splitMessages(best).toSpliced(at, 1));
      if (await failsAlike(shorter)) best = shorter;
    }
  }
  for (let size = 2 ** Math.floor(Math.log2(best.length || 1)); size >= 1; size >>= 1) {
    for (let at = best.length - size; at >= 0; at -= size) {
      const shorter = new Uint8Array(best.length - size);
      shorter.set(best.subarray(0, at));
      shorter.set(best.subarray(at + size), at);
      if (await failsAlike(shorter)) best = shorter;
    }
  }
  for (let at = 0; at < best.length; at++) {
    if (best[at] === 0) continue;
    const simpler = best.slice();
    simpler[at] = 0;
    if (await failsAlike(simpler)) best = simpler;
  }
  return best;
}

/** The name of the file that keeps a crash. */
export function crashName(target, input) {
  return `${target.name}-${createHash("sha256").update(input).digest("hex").slice(0, 12)}.bin`;
}
