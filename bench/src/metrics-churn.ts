/** Metric 9: memory after many channels, opened and closed one after the other. @module */
import { setTimeout as sleep } from "node:timers/promises";
import { aes128, type Started } from "./clients.ts";
import { type Metric, withClient } from "./metric.ts";
import { clockMs } from "./orders.ts";
import { residentBytes } from "./proc.ts";

/** An hour with a visitor every 72 ms. */
const most = 50_000;
const limitMs = 60_000;
/** Few, so that the channels follow each other, but no visitor waits for the close of another. */
const parallel = 4;

export const churn: Metric = {
  name: "churn",
  title: "Memory after channels that were opened and closed (flat is good), MB",
  rounds: { quick: 1, most: 1 },
  cases: ({ quick }) => [
    {
      title: `${quick ? "10" : "1 to 50"},000 channels of 64 bytes each way, ${parallel} at a time`,
      cipher: aes128,
      clients: ["postern"],
      timeoutMs: limitMs + 30_000,
      async run(stage, client, cipher, put) {
        await withClient(stage, client, { cipher }, async (started) => {
          const until = clockMs() + (quick ? limitMs / 3 : limitMs);
          let done = 0;
          for (const count of quick ? [1, 1_000, 10_000] : [1, 1_000, 5_000, 10_000, 20_000, most]) {
            const before = done;
            done += await stage.visitors.churn(started.port, count - done, parallel, Math.max(1, until - clockMs()));
            // A slow machine does not reach the last numbers. Those that it reaches are measured.
            if (done === before) break;
            await sleep(300);
            put(`${done === count ? count : `up to ${done}`}, heap`, (await heapBytes(started)) / 1e6, 2);
            put(`${done === count ? count : `up to ${done}`}, resident`, residentBytes(started.pid) / 1e6, 1);
            if (done < count) break;
          }
        });
      },
    },
  ],
};

/** Returns the live bytes of the heap, after a collection. */
async function heapBytes({ pid, process }: Started): Promise<number> {
  const printed = (): string[] => process.stdout.text().match(/^heap \d+$/gm) ?? [];
  const before = printed().length;
  globalThis.process.kill(pid, "SIGUSR2");
  for (let waited = 0; printed().length === before; waited += 20) {
    if (waited > 10_000) throw new Error("expected the size of the heap, got nothing");
    await sleep(20);
  }
  return Number(printed().at(-1)?.slice("heap ".length));
}
