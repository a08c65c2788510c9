/**
 * `npm run mutation`, after the bootstrap: changes the sources one expression at a time and runs the tests of the
 * package on each change. Prints the changes that no test notices, and the score of each package.
 * @module
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Stryker } from "@stryker-mutator/core";
import { root } from "./lib/run.mjs";

/** Each package with the folders whose tests are meant to notice a change in it. */
const packages = {
  auth: ["packages/auth/test"],
  connection: ["packages/connection/test"],
  transport: ["packages/transport/test", "test-vectors/transcripts"],
  crypto: ["packages/noble/test"],
};

const { values } = parseArgs({
  options: { package: { type: "string", multiple: true }, file: { type: "string", multiple: true } },
});
for (const name of values.package ?? Object.keys(packages)) {
  if (!(name in packages)) throw new Error(`expected one of ${Object.keys(packages).join(", ")}, got ${name}`);
  process.env.POSTERN_MUTATION_TESTS = packages[name].join(",");
  const folder = `packages/${name}/src`;
  const results = await new Stryker({
    mutate: values.file?.map((file) => `${folder}/${file}`) ?? [`${folder}/**/*.ts`],
    mutator: { excludedMutations: ["StringLiteral"] },
    plugins: ["@stryker-mutator/vitest-runner"],
    testRunner: "vitest",
    vitest: { configFile: "scripts/vitest.mutation.config.ts", related: false },
    ignorePatterns: [
      "*",
      "!packages/**",
      "!test-vectors/**",
      "!scripts/**",
      "!package.json",
      "!tsconfig.base.json",
      "dist",
      "node_modules",
    ],
    tempDirName: "coverage/mutation",
    disableTypeChecks: false,
    concurrency: 1,
    allowConsoleColors: false,
    timeoutMS: 20_000,
    reporters: ["progress-append-only", "clear-text", "json"],
    clearTextReporter: { logTests: false, reportTests: false },
    jsonReporter: { fileName: join(root, "coverage", `mutation-${name}.json`) },
  }).runMutationTest();
  const counted = results.filter(({ status }) => status !== "Ignored");
  const noticed = counted.filter(({ status }) => status === "Killed" || status === "Timeout").length;
  console.log(`mutation: ${name}: ${noticed} of ${counted.length} noticed`);
}
