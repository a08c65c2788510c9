/**
 * The test runner of `npm run mutation`. Runs all tests once. Then it activates one change after the other, and runs
 * the tests that reach it until one fails: first those that noticed the last changes, then the quickest. This is much
 * faster than a new process for each change, because modules stay loaded and compiled. The code has all changes inside;
 * `activeMutant` selects one.
 * @module
 */
import { appendFileSync, readFileSync } from "node:fs";
import { TestRunner, vi } from "vitest";

/** Tests that repeat others with other algorithms or cuts of the input, or every bit, and notice no other change. */
const repeated = [
  // A cipher of each kind and one hash of a MAC are enough.
  /aes192|aes256-gcm|aes256-ctr|hmac-sha2-512/,
  // A transcript of each role with a rekey that either side begins is enough.
  /(?:client|server)-(?:aes|chacha20|password).* replays|input cut: (?:whole|1 byte|7 bytes)|depend on their seed/,
  /agree on every key exchange method|diffie-hellman-group(?:16|18)/,
  /if any bit is altered|fails the connection under|fails the exchange before the first keys/,
  /repeats under|no data, started by the (?:client|server)/,
  // Other names of the same method, and a middle size.
  /sha512@openssh\.com|sha256@libssh\.org|nistp384|argon2id.* m: 65536/,
  // Uses of a signature beyond the algorithm itself.
  /^user authentication|WebCrypto|^certificates.*(?:ecdsa|rsa)/,
];

/** A test that takes longer than this, in milliseconds, never goes ahead of quicker ones. */
const quickMs = 50;

const { changes, tests, progress } = JSON.parse(readFileSync(process.env.POSTERN_MUTATION, "utf8"));
/** The namespace of Stryker's instrumented code. */
globalThis.__stryker__ ??= { mutantCoverage: { static: {}, perTest: {} } };
const stryker = globalThis.__stryker__;
const passed = [];
let files = 0;

const report = (entry) => appendFileSync(progress, `${JSON.stringify(entry)}\n`);

export default class MutationRunner extends TestRunner {
  async onBeforeRunTask(test) {
    if (repeated.some((name) => name.test(test.fullTestName.replaceAll(" > ", " ")))) test.mode = "skip";
    await super.onBeforeRunTask(test);
  }

  onBeforeTryTask(test) {
    super.onBeforeTryTask(test);
    stryker.currentTestId = test.id;
  }

  onAfterTryTask(test) {
    stryker.currentTestId = undefined;
    super.onAfterTryTask(test);
  }

  async onAfterRunSuite(suite) {
    await super.onAfterRunSuite(suite);
    if (!("filepath" in suite)) return;
    stryker.currentTestId = undefined;
    for (const test of testsOf(suite)) {
      if (test.result?.state === "pass") passed.push(test);
      if (test.result?.state === "fail") report({ fails: test.fullTestName });
    }
    report({ file: suite.name });
    if (++files === tests.length) await makeChanges();
  }
}

async function makeChanges() {
  passed.sort((a, b) => (a.result.duration ?? 0) - (b.result.duration ?? 0));
  const covered = passed.map((test) => [test, stryker.mutantCoverage.perTest[test.id] ?? {}]);
  report({ reached: [...new Set(covered.flatMap(([, hits]) => Object.keys(hits)))] });
  report({ onlyAtImport: Object.keys(stryker.mutantCoverage.static) });
  const unusable = new Set();
  for (const change of changes) {
    for (const [test, { [change]: hits }] of covered.slice()) {
      if (hits === undefined || unusable.has(test)) continue;
      report({ change, test: test.fullTestName });
      if (await passes(test, change, hits)) continue;
      // A test fails for another reason if it also fails without the change.
      if (await passes(test)) {
        report({ noticed: change });
        // Often the same test notices the next change, too.
        toFront(covered, test);
        break;
      }
      unusable.add(test);
      report({ unusable: test.fullTestName, change });
    }
  }
  report({ done: true });
}

/** Moves a test to the front, unless it is slow. */
function toFront(covered, test) {
  if ((test.result.duration ?? 0) > quickMs) return;
  const at = covered.findIndex(([one]) => one === test);
  covered.unshift(...covered.splice(at, 1));
}

async function passes(test, change, hits = 0) {
  Object.assign(stryker, { activeMutant: change, hitCount: 0, hitLimit: 1000 + 100 * hits });
  try {
    await TestRunner.getTestFn(test)();
    return true;
  } catch {
    return false;
  } finally {
    stryker.activeMutant = undefined;
    vi.restoreAllMocks();
  }
}

function testsOf(task) {
  return task.type === "suite" ? task.tasks.flatMap(testsOf) : [task];
}
