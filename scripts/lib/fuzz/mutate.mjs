/** Mutations of inputs, from a seeded generator. @module */

/** Small and fast pseudo-random numbers (xoshiro128**), so that a seed repeats a run. */
export class Randomness {
  #state;

  constructor(seed) {
    let hash = 0x811c9dc5;
    for (let at = 0; at < seed.length; at++) hash = Math.imul(hash ^ seed.charCodeAt(at), 0x01000193);
    // SplitMix32 spreads the seed over the state.
    this.#state = Uint32Array.from({ length: 4 }, () => {
      hash = (hash + 0x9e3779b9) | 0;
      const mixed = Math.imul(hash ^ (hash >>> 16), 0x21f0aaad);
      return mixed ^ (mixed >>> 15);
    });
  }

  /** Returns an integer from 0 to `count` - 1. */
  below(count) {
    const s = this.#state;
    const spun = Math.imul(s[1], 5);
    const result = Math.imul((spun << 7) | (spun >>> 25), 9) >>> 0;
    const shifted = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
    return result % count;
  }

  pick(list) {
    return list[this.below(list.length)];
  }
}

const words = [
  0,
  1,
  2,
  4,
  8,
  16,
  32,
  64,
  127,
  128,
  255,
  256,
  4096,
  32767,
  32768,
  65535,
  65536,
  2 ** 18,
  2 ** 31,
  2 ** 32 - 1,
];

/** Returns a mutated copy. `other` is another input of the corpus, `dictionary` a list of byte strings. */
export function mutate(input, other, dictionary, random, maxBytes) {
  let bytes = input;
  for (let rounds = 1 + random.below(random.below(8) + 1); rounds > 0; rounds--) {
    bytes = random.pick(mutations)(bytes, random, { other, dictionary });
  }
  if (bytes.length > maxBytes) bytes = bytes.subarray(0, maxBytes);
  return bytes === input ? bytes.slice() : bytes;
}

const splice = (bytes, from, until, inserted) => {
  const result = new Uint8Array(from + inserted.length + bytes.length - until);
  result.set(bytes.subarray(0, from));
  result.set(inserted, from);
  result.set(bytes.subarray(until), from + inserted.length);
  return result;
};
const range = (bytes, random) => {
  const from = random.below(bytes.length + 1);
  return [from, Math.min(bytes.length, from + 1 + random.below(random.pick([4, 16, 64, 1024])))];
};
const changed = (bytes, random, change) => {
  if (bytes.length === 0) return bytes;
  const result = bytes.slice();
  change(result, random.below(result.length));
  return result;
};
const putWord = (bytes, at, value) => {
  if (at + 4 <= bytes.length) new DataView(bytes.buffer).setUint32(at, value);
};

const mutations = [
  (bytes, random) => changed(bytes, random, (copy, at) => (copy[at] ^= 1 << random.below(8))),
  (bytes, random) => changed(bytes, random, (copy, at) => (copy[at] = random.below(256))),
  (bytes, random) => changed(bytes, random, (copy, at) => (copy[at] += random.below(5) - 2)),
  (bytes, random) => changed(bytes, random, (copy, at) => putWord(copy, at, random.pick(words))),
  // A length that reaches the end.
  (bytes, random) => changed(bytes, random, (copy, at) => putWord(copy, at, copy.length - at - 4)),
  (bytes, random) => splice(bytes, ...range(bytes, random), new Uint8Array(0)),
  (bytes, random) => {
    const at = random.below(bytes.length + 1);
    return splice(bytes, at, at, bytes.subarray(...range(bytes, random)));
  },
  (bytes, random) => splice(bytes, ...range(bytes, random), bytes.subarray(...range(bytes, random))),
  (bytes, random, { other }) => splice(bytes, ...range(bytes, random), other.subarray(...range(other, random))),
  (bytes, random, { other }) => {
    const at = random.below(bytes.length + 1);
    return splice(bytes, at, bytes.length, other.subarray(random.below(other.length + 1)));
  },
  (bytes, random, { dictionary }) => {
    const at = random.below(bytes.length + 1);
    return splice(bytes, at, random.below(2) === 0 ? at : Math.min(bytes.length, at + 4), random.pick(dictionary));
  },
  (bytes, random) => bytes.subarray(0, random.below(bytes.length + 1)).slice(),
];

/** A list of messages as bytes: two bytes of length before each. */
export function splitMessages(bytes) {
  const messages = [];
  for (let at = 0; at + 2 <= bytes.length; ) {
    const size = bytes[at] * 256 + bytes[at + 1];
    messages.push(bytes.subarray(at + 2, at + 2 + size));
    at += 2 + size;
  }
  return messages;
}

export function joinMessages(messages) {
  const result = new Uint8Array(messages.reduce((size, one) => size + 2 + Math.min(one.length, 0xffff), 0));
  let at = 0;
  for (const one of messages) {
    const message = one.subarray(0, 0xffff);
    result[at] = message.length >> 8;
    result[at + 1] = message.length & 0xff;
    result.set(message, at + 2);
    at += 2 + message.length;
  }
  return result;
}

/** As {@link mutate}, for a list of messages: moves, repeats and drops whole messages, or changes one. */
export function mutateMessages(input, other, dictionary, random, maxBytes) {
  const messages = splitMessages(input);
  const others = splitMessages(other);
  for (let rounds = 1 + random.below(3); rounds > 0; rounds--) {
    const at = random.below(messages.length + 1);
    const anywhere = messages[random.below(messages.length)] ?? new Uint8Array(1);
    const foreign = others[random.below(others.length)] ?? new Uint8Array(1);
    switch (random.below(8)) {
      case 0:
        messages.splice(at, 1);
        break;
      case 1:
        messages.splice(at, 0, anywhere);
        break;
      case 2:
        messages.splice(at, 0, foreign);
        break;
      case 3:
        messages.splice(at, messages.length, ...others.slice(random.below(others.length + 1)));
        break;
      case 4:
        messages.splice(at, 0, Uint8Array.of(random.below(256)));
        break;
      default:
        if (messages[at] !== undefined) messages[at] = mutate(messages[at], foreign, dictionary, random, 0xffff);
    }
  }
  const result = joinMessages(messages);
  return result.length > maxBytes ? joinMessages(splitMessages(result.subarray(0, maxBytes))) : result;
}
