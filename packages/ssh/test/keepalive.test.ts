/** The decisions of the keepalive, and when it takes them. */
import { fakeClock } from "@postern/testkit";
import { describe, expect, it } from "vitest";
import { KeepAlive, type KeepAliveOptions } from "../src/keepalive.ts";

/** A keepalive on a fake clock. It is ticked at its deadlines, as the driver does, and when the test calls for it. */
class Bench {
  readonly clock = fakeClock(1_000);
  /** how far the wall clock is ahead of the monotonic clock */
  wallAhead = 1_750_000_000_000;
  readonly keepAlive: KeepAlive;
  /** the decisions, with milliseconds since the start */
  readonly decided: string[] = [];

  constructor(options: KeepAliveOptions) {
    this.keepAlive = new KeepAlive(options, this.clock.now(), this.#wall);
  }

  get #wall(): number {
    return this.clock.now() + this.wallAhead;
  }

  tick(): void {
    const verdict = this.keepAlive.tick(this.clock.now(), this.#wall);
    if (verdict !== undefined) this.decided.push(`${verdict} ${this.clock.now() - 1_000}`);
  }

  hear(): void {
    this.keepAlive.received(this.clock.now());
    this.tick();
  }

  /** Advances the time and runs timers when they are due. */
  pass(ms: number): void {
    const until = this.clock.now() + ms;
    while (!this.lost && this.keepAlive.deadline <= until) {
      this.clock.advance(Math.max(this.keepAlive.deadline - this.clock.now(), 0));
      this.tick();
    }
    this.clock.advance(until - this.clock.now());
  }

  /** Advances the time without running timers: the machine sleeps or is too busy. */
  sleep(ms: number): void {
    this.clock.advance(ms);
  }

  get lost(): boolean {
    return this.decided.at(-1)?.startsWith("lost") === true;
  }
}

describe("a silent peer", () => {
  it("is probed every intervalMs, countMax times, and lost one interval later", () => {
    const bench = new Bench({ intervalMs: 30_000, countMax: 5 });
    bench.pass(600_000);
    expect(bench.decided).toEqual([
      "probe 30000",
      "probe 60000",
      "probe 90000",
      "probe 120000",
      "probe 150000",
      "lost 180000",
    ]);
  });

  it("is not probed before the interval is over, however often tick is called", () => {
    const bench = new Bench({ intervalMs: 30_000, countMax: 5 });
    for (let i = 0; i < 29; i++) {
      bench.sleep(1_000);
      bench.tick();
    }
    expect(bench.decided).toEqual([]);
    bench.sleep(1_000);
    bench.tick();
    bench.tick();
    expect(bench.decided).toEqual(["probe 30000"]);
  });

  it("is never lost with countMax Infinity", () => {
    const bench = new Bench({ intervalMs: 1_000, countMax: Number.POSITIVE_INFINITY });
    bench.pass(100_000);
    expect(bench.decided).toHaveLength(100);
    expect(bench.lost).toBe(false);
  });

  it("is never probed with intervalMs Infinity", () => {
    const bench = new Bench({ intervalMs: Number.POSITIVE_INFINITY, countMax: 1 });
    expect(bench.keepAlive.deadline).toBe(Number.POSITIVE_INFINITY);
    bench.sleep(1e9);
    bench.tick();
    expect(bench.decided).toEqual([]);
  });
});

describe("any input", () => {
  it("delays the probe by a whole interval", () => {
    const bench = new Bench({ intervalMs: 30_000, countMax: 5 });
    for (let i = 0; i < 10; i++) {
      bench.pass(29_999);
      bench.hear();
    }
    expect(bench.decided).toEqual([]);
    bench.pass(30_000);
    expect(bench.decided).toEqual(["probe 329990"]);
  });

  it.each([1, 2, 3, 4, 5])("restarts the count after %i probes", (questions) => {
    const bench = new Bench({ intervalMs: 1_000, countMax: 5 });
    bench.pass(questions * 1_000 + 999);
    expect(bench.decided).toHaveLength(questions);
    bench.hear();
    bench.pass(5_999);
    expect(bench.decided).toHaveLength(questions + 5);
    bench.pass(1);
    expect(bench.lost).toBe(true);
  });
});

describe("a machine that slept", () => {
  const intervals = { intervalMs: 30_000, countMax: 5 };

  it("probes at once when its timer is late by more than an interval, and decides 10 s later", () => {
    const bench = new Bench(intervals);
    bench.sleep(60_001);
    bench.tick();
    expect(bench.decided).toEqual(["probe 60001"]);
    bench.pass(9_999);
    expect(bench.lost).toBe(false);
    bench.pass(1);
    expect(bench.decided).toEqual(["probe 60001", "lost 70001"]);
  });

  it("changes nothing when its timer is late by no more than an interval", () => {
    const bench = new Bench(intervals);
    bench.sleep(60_000);
    bench.tick();
    expect(bench.decided).toEqual(["probe 60000"]);
    bench.pass(30_000);
    expect(bench.decided).toEqual(["probe 60000", "probe 90000"]);
  });

  it("probes at once when only the wall clock advanced, and decides 10 s later", () => {
    const bench = new Bench(intervals);
    bench.pass(10_000);
    bench.wallAhead += 3_600_000;
    bench.pass(20_000);
    expect(bench.decided).toEqual(["probe 30000"]);
    bench.pass(10_000);
    expect(bench.decided).toEqual(["probe 30000", "lost 40000"]);
  });

  it("keeps its connection when the peer answers, and restarts the count", () => {
    const bench = new Bench(intervals);
    bench.pass(150_000);
    bench.sleep(3_600_000);
    bench.tick();
    bench.sleep(200);
    bench.hear();
    const before = bench.decided.length;
    bench.pass(179_999);
    expect(bench.decided.slice(before)).toHaveLength(5);
    expect(bench.lost).toBe(false);
    bench.pass(1);
    expect(bench.lost).toBe(true);
  });

  it("probes even if buffered bytes come first, and decides within 10 s", () => {
    const bench = new Bench(intervals);
    bench.sleep(3_600_000);
    bench.hear();
    expect(bench.decided).toEqual(["probe 3600000"]);
    bench.pass(10_000);
    expect(bench.decided.at(-1)).toBe("lost 3610000");
  });

  it("probes again when it woke only briefly, and does not count the peer as lost", () => {
    const bench = new Bench(intervals);
    for (const minutes of [60, 120, 180]) {
      bench.sleep(3_600_000);
      bench.tick();
      bench.sleep(2_000);
      bench.tick();
      expect(bench.decided).toHaveLength(minutes / 60);
    }
    expect(bench.lost).toBe(false);
    bench.pass(8_000);
    expect(bench.lost).toBe(true);
  });

  it("decides even if timers are always late", () => {
    const bench = new Bench({ intervalMs: 10, countMax: 2 });
    for (let i = 0; i < 300 && !bench.lost; i++) {
      bench.sleep(45);
      bench.tick();
    }
    expect(bench.lost).toBe(true);
  });
});

describe("a wall clock that is set", () => {
  it.each([-3_600_000, -1_000, 1_000, 30_000])("changes nothing when set by %i ms", (ms) => {
    const bench = new Bench({ intervalMs: 30_000, countMax: 5 });
    bench.pass(10_000);
    bench.wallAhead += ms;
    bench.pass(170_000);
    expect(bench.decided).toEqual([
      "probe 30000",
      "probe 60000",
      "probe 90000",
      "probe 120000",
      "probe 150000",
      "lost 180000",
    ]);
  });

  it("causes one probe when set forward by hours, and no loss if the peer answers", () => {
    const bench = new Bench({ intervalMs: 30_000, countMax: 5 });
    bench.wallAhead += 24 * 3_600_000;
    bench.tick();
    expect(bench.decided).toEqual(["probe 0"]);
    bench.sleep(100);
    bench.hear();
    bench.pass(29_999);
    expect(bench.decided).toEqual(["probe 0"]);
  });
});
