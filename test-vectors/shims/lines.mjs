/** The side of a shim: lines of JSON on standard input and output. @module */
import { createInterface } from "node:readline";

const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Returns the next line, or undefined at the end. */
export async function nextLine() {
  const { value, done } = await input.next();
  return done ? undefined : JSON.parse(value);
}

export function tell(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
