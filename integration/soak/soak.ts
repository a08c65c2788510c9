/** A soak: fifty continual connections, a fault every few seconds, and every byte checked. @module */
import { setTimeout as sleep } from "node:timers/promises";
import { collectGarbage } from "@postern/testkit";
import { Conversations, type Talk } from "./conversation.ts";
import { Dice } from "./dice.ts";
import { faults, type SoakFault } from "./faults.ts";
import { Ledger } from "./ledger.ts";
import { makeWorld, type World } from "./world.ts";

export interface SoakOptions {
  readonly minutes: number;
  readonly seed: string;
}

export interface Memory {
  readonly heap: number;
  readonly rss: number;
}

export interface SoakReport extends SoakOptions {
  readonly seconds: number;
  readonly ledger: Ledger;
  readonly reconnects: number;
  readonly rekeys: number;
  readonly before: Memory;
  readonly after: Memory;
}

const visitors = 50;
/** After a fault is over, all three forwardings must carry bytes within this time. */
const recoveryMs = 60_000;

export async function soak({ minutes, seed }: SoakOptions): Promise<SoakReport> {
  const ledger = new Ledger();
  const conversations = new Conversations(ledger);
  const world = await makeWorld(conversations);
  try {
    const talks = new Talks(seed);
    const going = { on: true };
    const started = performance.now();
    const traffic = Array.from({ length: visitors }, (_, index) =>
      keepVisiting(world, conversations, talks, index, going),
    );
    await sleep(2_000);
    const before = memory();
    const dice = new Dice(`${seed}: faults`);
    const order = dice.rounds(faults);
    try {
      while (performance.now() - started < minutes * 60_000) {
        await sleep(dice.between(500, 4_000));
        await oneFault(
          order.next().value,
          new Dice(`${seed}: fault ${ledger.recoveries.length}`),
          world,
          conversations,
          talks,
          ledger,
        );
      }
    } catch (error) {
      ledger.fail(error instanceof Error ? error.message : String(error));
    }
    going.on = false;
    await Promise.all(traffic);
    const { reconnects, rekeys } = world.tunnel.stats();
    const seconds = Math.round((performance.now() - started) / 1_000);
    return { minutes, seed, seconds, ledger, reconnects, rekeys, before, after: memory() };
  } finally {
    await world.stop();
  }
}

/** Formats the report. */
export function describeReport(report: SoakReport): string {
  const { ledger, before, after } = report;
  const { recoveries } = ledger;
  const mean = recoveries.reduce((sum, { ms }) => sum + ms, 0) / Math.max(1, recoveries.length);
  const [longest] = recoveries.toSorted((a, b) => b.ms - a.ms);
  const kinds = [...ledger.faults].toSorted(([a], [b]) => a.localeCompare(b));
  return [
    `soak: ${report.seconds} s, seed ${report.seed}, ${visitors} connections through 3 forwardings`,
    `faults: ${kinds.reduce((sum, [, count]) => sum + count, 0)}`,
    ...kinds.map(([name, count]) => `  ${count} x ${name}`),
    `reconnections: ${report.reconnects}; rekeys: ${report.rekeys}`,
    `recovery after a fault was over: mean ${seconds(mean)}, longest ${seconds(longest?.ms ?? 0)} (${longest?.name})`,
    `bytes checked: ${ledger.bytes} (${megabytes(ledger.bytes)})`,
    `connections: ${ledger.whole} whole, ${ledger.cut} ended with an error, ${ledger.refused} refused`,
    `heap: ${megabytes(before.heap)} at the start, ${megabytes(after.heap)} at the end`,
    `RSS: ${megabytes(before.rss)} at the start, ${megabytes(after.rss)} at the end`,
    ...(ledger.failures.length === 0 ? ["no failure"] : ["FAILURES:", ...ledger.failures.map((one) => `  ${one}`)]),
  ].join("\n");
}

/** Numbers the connections, and chooses the parameters of each. */
class Talks {
  readonly #seed: string;
  #last = 0;

  constructor(seed: string) {
    this.#seed = seed;
  }

  next(): Talk {
    const id = ++this.#last;
    const dice = new Dice(`${this.#seed}: connection ${id}`);
    const most = dice.pick([2_000, 100_000, 600_000]);
    return {
      id,
      up: dice.between(0, most),
      down: dice.between(0, most),
      chunk: dice.between(4_000, 32_768),
      pauseMs: dice.between(1, 60),
    };
  }

  /** Returns a short connection, to test a forwarding. */
  probe(): Talk {
    return { id: ++this.#last, up: 1_000, down: 1_000, chunk: 1_000, pauseMs: 0 };
  }
}

async function keepVisiting(
  { forwardings }: World,
  conversations: Conversations,
  talks: Talks,
  index: number,
  going: { readonly on: boolean },
): Promise<void> {
  while (going.on) {
    const forwarding = forwardings[index % forwardings.length];
    const whole = await conversations.visit(forwarding?.port ?? 0, talks.next());
    if (!whole) await sleep(100);
  }
}

async function oneFault(
  fault: SoakFault,
  dice: Dice,
  world: World,
  conversations: Conversations,
  talks: Talks,
  ledger: Ledger,
): Promise<void> {
  const end = ledger.fault(fault.name, fault.cuts);
  await fault.run(world, dice);
  const gone = performance.now();
  for (const forwarding of world.forwardings) {
    while (!(await conversations.visit(forwarding.port ?? 0, talks.probe()))) {
      if (performance.now() - gone > recoveryMs) throw new Error(`the tunnel did not recover from: ${fault.name}`);
      await sleep(50);
    }
  }
  ledger.recoveries.push({ name: fault.name, ms: performance.now() - gone });
  // The visits may have used a connection that is about to be replaced.
  world.box.heal();
  end();
}

function memory(): Memory {
  return { heap: collectGarbage(), rss: process.memoryUsage().rss };
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`;
}
