/** Runs the same tunnel in every runtime, and the vectors once in each. `npm run runtimes` prints the table. */
import { mkdirSync, writeSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type KeyPair,
  makeKey,
  missing,
  type RealProxy,
  startMicrosocks,
  startSshd,
  type TempDir,
  tempDir,
} from "../harness/index.ts";
import { bundle, countVectors } from "./bundle.ts";
import { startControl } from "./control.ts";
import type { Orders, Report, VectorsReport } from "./orders.ts";
import { type Runtime, runtimes } from "./runtimes.ts";
import { type Row, table } from "./table.ts";

const mebibyte = 1024 * 1024;
const visitors = 20;
const bytes = 4 * mebibyte;
/** A part of the 80 MiB in each direction. */
const rekeyBytes = 30 * mebibyte;
const nodes = (process.env.POSTERN_NODES ?? "").split(",").filter((version) => version !== "");

describe.skipIf(missing("sshd"))("every runtime", () => {
  let dir: TempDir;
  let user: KeyPair;
  let other: KeyPair;
  let proxy: RealProxy | undefined;
  const rows: Row[] = [];
  beforeAll(async () => {
    dir = tempDir("postern-runtimes");
    user = await makeKey("ed25519", dir.file("user"));
    other = await makeKey("ed25519", dir.file("other"));
    if (missing("proxies") === undefined) proxy = await startMicrosocks();
  });
  afterAll(async () => {
    await proxy?.stop();
    // Directly to stderr: the test runner would add a heading.
    writeSync(2, `\n${table(rows)}\n`);
    dir.remove();
  });

  for (const [index, runtime] of runtimes(nodes).entries()) {
    const title = `${runtime.name}: ${runtime.over}`;
    if (runtime.missing !== undefined) process.stderr.write(`skipped: ${title}: ${runtime.missing}\n`);
    it.skipIf(runtime.missing)(title, async () => {
      const folder = dir.file(String(index));
      mkdirSync(folder);
      const file = `${folder}/program.mjs`;
      await bundle(runtime.entry, file, { node: runtime.node });
      // The log contains the negotiated cipher.
      const sshd = await startSshd({
        authorizedKeys: [user.publicLine],
        config: { LogLevel: "DEBUG1" },
      });
      try {
        const orders: Orders = {
          port: sshd.port,
          proxyPort: proxy?.port,
          user: sshd.user,
          privateKey: user.privateText,
          fingerprint: sshd.fingerprint(),
          wrongFingerprint: other.fingerprint,
          visitors,
          bytes,
          rekeyBytes,
          vectors: runtime.vectors === undefined,
        };
        const report = await reportOf(runtime, file, folder, orders);
        rows.push(rowOf(runtime, report, sshd.log()));
        expect(report.scenario).toMatchObject({ bytes: 2 * visitors * bytes });
        const all = { passed: countVectors(), failed: [] };
        expect(report.vectors).toEqual(runtime.vectors === undefined ? all : undefined);
      } finally {
        await sshd.stop();
      }
    });
  }
});

async function reportOf(runtime: Runtime, file: string, folder: string, orders: Orders): Promise<Report> {
  const control = await startControl(orders, runtime.page === true ? file : undefined);
  try {
    const program = await runtime.start(file, control.url, folder);
    try {
      const ended = program.ended.then(async (printed) => {
        // The last report may still be in flight.
        await new Promise((resolve) => setTimeout(resolve, 1000));
        throw new Error(`the program ended without a report: ${printed}`);
      });
      return await Promise.race([control.report, ended]);
    } finally {
      await program.stop();
    }
  } finally {
    control.stop();
  }
}

function rowOf(runtime: Runtime, { version, scenario, vectors }: Report, log: string): Row {
  const cipher = /kex: client->server cipher: (\S+)/.exec(log)?.[1] ?? "?";
  const failed = "error" in scenario;
  return {
    runtime: runtime.name,
    version,
    over: runtime.over,
    scenario: failed ? "failed" : `passed, ${scenario.rekeys} rekeys`,
    vectors: vectors === undefined ? `(${runtime.vectors})` : describeVectors(vectors),
    speed: failed ? "-" : `${Math.round(scenario.bytes / 1e6 / (scenario.ms / 1000))}, ${cipher}`,
  };
}

function describeVectors({ passed, failed }: VectorsReport): string {
  return failed.length === 0 ? `${passed} passed` : `${failed.length} of ${passed + failed.length} failed`;
}
