/**
 * Checks that machines use no promises, timers, clock, randomness or output. They receive such values as arguments.
 * `node scripts/check-machines.mjs [root]`
 * @module
 */
import { fileURLToPath } from "node:url";
import { readSource, report, sourcesBelow } from "./lib/source.mjs";

const root = process.argv[2] ?? fileURLToPath(new URL("..", import.meta.url));

const machine =
  /^packages\/((transport|connection)\/src\/.+|[^/]+\/src\/(.+\/)?([^/]+-machine|packet-[^/]+|[^/]+-state))\.ts$/;

const rules = new Map(
  Object.entries({
    "no-promise": ["Promise", "PromiseLike", "queueMicrotask"],
    "no-timer": [
      "setTimeout",
      "setInterval",
      "setImmediate",
      "clearTimeout",
      "clearInterval",
      "clearImmediate",
      "requestAnimationFrame",
      "requestIdleCallback",
    ],
    "no-clock": ["Date", "performance"],
    "no-randomness": ["crypto"],
    "no-output": ["console"],
    // Gives access to everything above.
    "no-global-object": ["globalThis", "self"],
  }).flatMap(([rule, names]) => names.map((name) => [name, rule])),
);

const files = sourcesBelow(root, "packages").filter((file) => machine.test(file));
const violations = files.flatMap((file) => {
  const source = readSource(root, file);
  return [
    ...source.async.map(({ what, line }) => ({ file, line, rule: "no-async", text: `'${what}' in a machine` })),
    ...source.names.flatMap(({ name, line }) => {
      const rule = rules.get(name);
      return rule === undefined ? [] : [{ file, line, rule, text: `'${name}' in a machine` }];
    }),
    ...source.members
      .filter(({ object, property }) => object === "Math" && property === "random")
      .map(({ line }) => ({ file, line, rule: "no-randomness", text: "'Math.random' in a machine" })),
  ].sort((a, b) => a.line - b.line);
});
report("check-machines", violations, `${files.length} machines`);
