/** Runs all vectors with every provider in every runtime, and prints one table: `npm run vectors`. */
import { once } from "node:events";
import { mkdirSync, readFileSync, writeSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TempDir, tempDir } from "../harness/index.ts";
import { bundle } from "./bundle.ts";
import { type Runtime, runtimes } from "./runtimes.ts";
import { aligned } from "./table.ts";
import type { Cell, VectorsReport } from "./vectors-program.ts";

const nodes = (process.env.POSTERN_NODES ?? "").split(",").filter((version) => version !== "");

describe("every runtime", () => {
  let dir: TempDir;
  const reports: (readonly [runtime: string, report: VectorsReport])[] = [];
  beforeAll(() => {
    dir = tempDir("postern-vectors");
  });
  // Directly to stderr: the test runner would add a heading.
  afterAll(() => {
    writeSync(2, `\n${table(reports)}\n`);
    dir.remove();
  });

  const once = runtimes(nodes).filter(({ entry }) => ["node", "workerd", "chromium"].includes(entry));
  for (const [index, runtime] of once.entries()) {
    if (runtime.missing !== undefined) writeSync(2, `skipped: ${runtime.name}: ${runtime.missing}\n`);
    it.skipIf(runtime.missing)(`${runtime.name}: passes every vector that applies`, async () => {
      const folder = dir.file(String(index));
      mkdirSync(folder);
      const file = `${folder}/program.mjs`;
      await bundle(`vectors-${runtime.entry}`, file, { node: runtime.node });
      const report = await reportOf(runtime, file, folder);
      reports.push([`${runtime.name} ${report.version}`, report]);
      expect(report.cells.flatMap(({ provider, failed }) => failed.map((text) => `${provider}: ${text}`))).toEqual([]);
      expect(report.cells.reduce((sum, { passed }) => sum + passed, 0)).toBeGreaterThan(0);
    });
  }
});

/** Starts the program, and returns its report. */
async function reportOf(runtime: Runtime, file: string, folder: string): Promise<VectorsReport> {
  let reported: (report: VectorsReport) => void = () => {};
  const report = new Promise<VectorsReport>((resolve) => {
    reported = resolve;
  });
  const server = createServer((request, response) => {
    if (request.method === "GET") {
      const isScript = request.url === "/program.js";
      response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
      response.end(isScript ? readFileSync(file) : '<!doctype html><script type="module" src="/program.js"></script>');
      return;
    }
    void json(request).then((body) => {
      response.end();
      reported(body as VectorsReport);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const program = await runtime.start(file, `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, folder);
    try {
      const ended = program.ended.then(async (printed) => {
        // The report may still be in flight.
        await new Promise((resolve) => setTimeout(resolve, 1000));
        throw new Error(`the program ended without a report: ${printed}`);
      });
      return await Promise.race([report, ended]);
    } finally {
      await program.stop();
    }
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

/** A row for each provider in each runtime, a column for each kind, and the reasons why tests were not run. */
function table(reports: readonly (readonly [runtime: string, report: VectorsReport])[]): string {
  const kinds = [...new Set(reports.flatMap(([, { cells }]) => cells.map(({ kind }) => kind)))];
  const reasons: string[] = [];
  const rows = reports.flatMap(([runtime, { cells }]) =>
    [...new Set(cells.map(({ provider }) => provider))].map((provider) => {
      const own = cells.filter((cell) => cell.provider === provider);
      return [runtime, provider, ...kinds.map((kind) => shown(own.find((cell) => cell.kind === kind))), ...totals(own)];
    }),
  );

  function totals(cells: readonly Cell[]): readonly string[] {
    const skipped = new Map<string, number>();
    for (const [reason, count] of cells.flatMap(({ notApplicable }) => Object.entries(notApplicable))) {
      skipped.set(reason, (skipped.get(reason) ?? 0) + count);
      if (!reasons.includes(reason)) reasons.push(reason);
    }
    const notes = [...skipped].map(([reason, count]) => `${count} (${reasons.indexOf(reason) + 1})`);
    const sum = (of: (cell: Cell) => number) => String(cells.reduce((total, cell) => total + of(cell), 0));
    return [sum(({ passed }) => passed), sum(({ failed }) => failed.length), notes.join(", ")];
  }

  const head = ["runtime", "provider", ...kinds, "passed", "failed", "not applicable"];
  const notes = reasons.map((reason, index) => `(${index + 1}) ${reason}\n`);
  return `${aligned([head, ...rows])}\n${notes.join("")}`;
}

function shown(cell: Cell | undefined): string {
  if (cell === undefined) return "?";
  if (cell.failed.length > 0) return `${cell.failed.length} failed`;
  return cell.passed > 0 ? String(cell.passed) : "-";
}
