/** The program that runs in every runtime: the scenario, then the vectors if ordered, then the report. @module */

import { files } from "virtual:vectors";
import type { Algorithms } from "@postern/crypto";
import { compatibleAlgorithms, sha256, sha384, sha512 } from "@postern/noble";
import { testsOfFile } from "@postern/testkit/portable";
import { webSshEd25519 } from "@postern/web";
import { takeOrders, type VectorsReport } from "./orders.ts";
import { type Platform, scenario } from "./scenario.ts";

/** Never rejects because of a failed test: failures are reported. */
export async function runProgram(
  url: string,
  version: string,
  platform: Platform,
  algorithms: Algorithms = compatibleAlgorithms,
): Promise<void> {
  const control = await takeOrders(url);
  const outcome = await scenario(platform, control).catch((error: unknown) => ({ error: describe(error) }));
  const vectors = control.orders.vectors ? { vectors: await runVectors(files, algorithms) } : {};
  await control.report({ version, scenario: outcome, ...vectors });
}

async function runVectors(all: typeof files, algorithms: Algorithms): Promise<VectorsReport> {
  let passed = 0;
  const failed: string[] = [];
  const web = { ...algorithms, hostKeys: [webSshEd25519] };
  const runs = [
    ...all.map((file) => ({ file, by: algorithms })),
    // Once more, with the runtime's own implementation.
    ...all.filter((file) => nameOf(file) === "hostkey/ssh-ed25519").map((file) => ({ file, by: web })),
  ];
  for (const { file, by } of runs) {
    try {
      for (const { title, run } of testsOfFile(file, by, [sha256, sha384, sha512])) {
        try {
          await run();
          passed++;
        } catch (error) {
          failed.push(`${nameOf(file)}, ${title}: ${describe(error)}`);
        }
      }
    } catch (error) {
      failed.push(`${nameOf(file)}: ${describe(error)}`);
    }
  }
  return { passed, failed };
}

function nameOf(file: (typeof files)[number]): string {
  return `${file.kind}/${file.algorithm}`;
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by ${describe(error.cause)}`;
  return `${error.name}: ${error.message}\n${error.stack ?? ""}${cause}`;
}
