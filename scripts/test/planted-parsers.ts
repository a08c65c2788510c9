/** Parsers with planted mistakes, which the fuzzer has to find. @module */

/** A source below `packages/`, because only those have counters. */
export const plantedSource = `
const text = (input: Uint8Array): string => new TextDecoder().decode(input);

/** Reads "key=value" lines; a rare combination makes it fail. */
function deep(input: Uint8Array): void {
  let depth = 0;
  for (const line of text(input).split("\\n")) {
    if (line.startsWith("begin")) depth++;
    else if (line.startsWith("end")) depth--;
    if (depth === 3) {
      if (line.includes("!")) throw new TypeError("planted");
    }
  }
}

/** Compares each byte with all before it. */
function quadratic(input: Uint8Array): number {
  let pairs = 0;
  for (let a = 0; a < input.length; a++) for (let b = 0; b < a; b++) if (input[a] === input[b]) pairs++;
  return pairs;
}

/** Never ends if a length is 0, and hides the error. */
function loops(input: Uint8Array): void {
  try {
    for (let at = 0; at < input.length; at += input[at] ?? 1) if (at > 1e6) return;
  } catch {}
}

const target = (name: string, run: (input: Uint8Array) => unknown, seed: string) => ({
  name,
  sources: ["packages/planted/src/"],
  codes: [],
  seeds: () => [new TextEncoder().encode(seed)],
  run: (input: Uint8Array) => void run(input),
});
export const targets = [
  target("deep", deep, "begin\\nend\\n"),
  target("quadratic", quadratic, "abcdef"),
  target("loops", loops, "\\u0001\\u0001\\u0001\\u0001"),
];
`;
