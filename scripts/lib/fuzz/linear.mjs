/** Whether a target takes time in proportion to its input: counts steps, not milliseconds. @module */
import { joinMessages, Randomness, splitMessages } from "./mutate.mjs";

/** Repetitions of a part of an input. */
const few = 50;
const many = 1600;
/** The steps of each byte may grow to three times those of the short input, and to this number in any case. */
const growth = 3;
const stepsPerByte = 60;

/**
 * Repeats parts of the target's inputs. Returns the inputs whose steps grow faster than their length.
 *
 * @param attempts parts to try
 */
export async function findSuperlinear(target, counters, attempts) {
  const random = new Randomness(`linear ${target.name}`);
  const seeds = target.seeds();
  const found = [];
  for (let attempt = 0; attempt < attempts; attempt++) {
    const repeat = pump(target, random.pick(seeds), random);
    const [short, long] = [repeat(few), repeat(many)];
    const steps = [await count(target, counters, short), await count(target, counters, long)];
    const limit = Math.max(stepsPerByte, (growth * steps[0]) / short.length) * long.length;
    if (steps[1] > limit) found.push({ attempt, sizes: [short.length, long.length], steps });
  }
  return found;
}

/** Chooses a part of a seed, and returns a function that repeats it. */
function pump(target, seed, random) {
  if (target.shape === "messages") {
    const messages = splitMessages(seed);
    const at = random.below(messages.length);
    return (times) => joinMessages(messages.toSpliced(at, 1, ...Array.from({ length: times }, () => messages[at])));
  }
  const from = random.below(seed.length + 1);
  const part = seed.subarray(from, from + 1 + random.below(random.pick([1, 4, 16, 64])));
  return (times) => {
    const input = new Uint8Array(seed.length + part.length * times);
    input.set(seed.subarray(0, from));
    for (let n = 0; n < times; n++) input.set(part, from + n * part.length);
    input.set(seed.subarray(from), from + times * part.length);
    return input;
  };
}

async function count(target, counters, input) {
  counters.start();
  try {
    await target.run(input);
  } catch {
    // Errors are the fuzzer's to judge.
  }
  return counters.steps;
}
