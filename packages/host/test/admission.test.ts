import { seededRandom } from "@postern/testkit";
import * as Limits from "@postern/wire/limits";
import { describe, expect, it } from "vitest";
import { Admission, Penalties } from "../src/admission.ts";
import { ChannelBudget, type Share } from "../src/channel-budget.ts";
import { clientMemory, type Exceeded, HostBudget } from "../src/host-budget.ts";
import { defaultHostLimits, type HostLimits } from "../src/limits.ts";

const { penalties } = defaultHostLimits;
const kib = 1024;

describe("Penalties (sshd_config(5), PerSourcePenalties)", () => {
  const make = (limits = {}) => {
    const clock = { ms: 0 };
    return { clock, table: new Penalties({ ...penalties, ...limits }, () => clock.ms) };
  };

  it("refuses a source whose penalties exceed the threshold, until they have elapsed", () => {
    const { clock, table } = make();
    for (let i = 0; i < 3; i++) table.add("a", "authFail");
    expect(table.refuses("a")).toBe(false);
    table.add("a", "authFail");
    expect(table.refuses("a")).toBe(true);
    expect(table.refuses("b")).toBe(false);
    clock.ms = 19_999;
    expect(table.refuses("a")).toBe(true);
    clock.ms = 20_000;
    expect(table.refuses("a")).toBe(false);
    table.add("a", "noAuth");
    expect(table.refuses("a")).toBe(false);
  });

  it("admits a source with one failed login every five seconds, and refuses one with three", () => {
    const { clock, table } = make();
    for (clock.ms = 0; clock.ms < 600_000; clock.ms += 5_000) {
      table.add("one", "authFail");
      expect(table.refuses("one")).toBe(false);
    }
    const after = clock.ms;
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 3; j++) table.add("three", "authFail");
      clock.ms += 5_000;
    }
    expect(table.refuses("three")).toBe(true);
    expect(clock.ms).toBeGreaterThan(after);
  });

  it("refuses for no longer than the maximum", () => {
    const { clock, table } = make();
    for (let i = 0; i < 1000; i++) table.add("a", "grace");
    clock.ms = penalties.maxMs - 1;
    expect(table.refuses("a")).toBe(true);
    clock.ms = penalties.maxMs;
    expect(table.refuses("a")).toBe(false);
  });

  it("doubles the delay with each failure of a source up to the maximum, and resets it after a while", () => {
    const { clock, table } = make({ delayMs: 100, maxDelayMs: 1000 });
    expect([1, 2, 3, 4, 5, 6].map(() => table.failed("a"))).toEqual([100, 200, 400, 800, 1000, 1000]);
    expect(table.failed("b")).toBe(100);
    expect(table.refuses("a")).toBe(false);
    clock.ms = 4 * penalties.authFailMs;
    expect(table.failed("a")).toBe(100);
  });

  it("remembers at most maxSources sources", () => {
    const { clock, table } = make({ maxSources: 10 });
    for (let i = 0; i < 100; i++) table.add(`source ${i}`, "authFail");
    expect(table.size).toBe(10);
    clock.ms = 5_000;
    table.add("new", "authFail");
    expect(table.size).toBe(1);
  });
});

describe("Admission", () => {
  it("drops clients at random between start and full (sshd_config(5), MaxStartups)", () => {
    const admission = new Admission({ ...defaultHostLimits, penalties: false }, seededRandom("startups"), () => 0);
    const dropsUntilIn = (): number => {
      let drops = 0;
      while (drops < 1000 && admission.enter(undefined, 0) === "startups") drops++;
      return drops;
    };
    const drops = Array.from({ length: 100 }, dropsUntilIn);
    expect(drops.slice(0, 10)).toEqual(drops.slice(0, 10).map(() => 0));
    const between = drops.slice(10, 60).reduce((sum, one) => sum + one, 0);
    // Between 30 and 68 percent are dropped: 50 admitted clients mean about as many refused ones.
    expect(between).toBeGreaterThan(20);
    expect(between).toBeLessThan(150);
    expect(dropsUntilIn()).toBe(1000);
    admission.startupEnded();
    expect(dropsUntilIn()).toBeLessThan(1000);
  });
});

/** Closes both the channel and its pipe. */
const limits: HostLimits = {
  ...defaultHostLimits,
  visitorsPerForwarding: 1,
  visitorsPerSource: 1,
  connectionsPerUser: 1,
};

function shared(given: Partial<HostLimits> = {}): HostBudget {
  return new HostBudget(() => ({ ...limits, ...given }));
}

function expectShare(share: Share | Exceeded): Share {
  if ("reason" in share) throw new Error(`expected a share, got: ${share.reason}`);
  return share;
}

function giveBack(share: Share | undefined): void {
  share?.channelClosed();
  share?.pipeClosed();
}

describe("ChannelBudget", () => {
  it("grants the usual window to a few channels, and at most the memory to all together", () => {
    const random = seededRandom("budget");
    const memory = 64 * kib * kib;
    const budget = new ChannelBudget({ channels: 512, memory }, shared(), () => "test");
    const held: Share[] = [];
    const sum = (): number => held.reduce((total, { window }) => total + window, 0);
    const first = expectShare(budget.take());
    expect(first.window).toBe(2 * kib * kib);
    giveBack(first);
    for (let step = 0; step < 5000; step++) {
      const [choice = 0] = random(1);
      if (choice < 160) {
        const share = budget.take();
        if ("reason" in share) expect(held).toHaveLength(512);
        else held.push(share);
      } else giveBack(held.splice(choice % Math.max(held.length, 1), 1)[0]);
      expect(sum()).toBeLessThanOrEqual(memory);
      expect(held.every(({ window }) => window >= 64 * kib && window <= 2 * kib * kib)).toBe(true);
      expect(budget.used).toBe(held.length);
    }
  });

  it("takes a share back once, after both its channel and its pipe have closed, and reports when it is idle", async () => {
    const budget = new ChannelBudget({ channels: 2, memory: 128 * kib }, shared(), () => "test");
    const [first, second] = [expectShare(budget.take()), expectShare(budget.take())];
    expect(budget.take()).toEqual({ reason: "too many channels of this client", limit: "channels" });
    for (const close of [first.pipeClosed, first.pipeClosed]) close();
    expect(budget.used).toBe(2);
    for (const close of [first.channelClosed, first.channelClosed, first.pipeClosed]) close();
    expect(budget.used).toBe(1);
    let idle = false;
    const waiting = budget.whenIdle().then(() => {
      idle = true;
    });
    await Promise.resolve();
    expect(idle).toBe(false);
    giveBack(second);
    await waiting;
  });
});

describe("HostBudget", () => {
  it("counts the channels of a user over all connections, and forgets users without any", () => {
    const budget = shared({ channelsPerUser: 3 });
    const clients = [1, 2].map(() => new ChannelBudget({ channels: 10, memory: kib * kib }, budget, () => "test"));
    const held = [0, 1, 0].map((client) => expectShare(clients[client]?.take() ?? { reason: "", limit: undefined }));
    expect(clients[1]?.take()).toEqual({ reason: "too many channels of this user", limit: "channelsPerUser" });
    const other = new ChannelBudget({ channels: 10, memory: kib * kib }, budget, () => "other");
    giveBack(expectShare(other.take()));
    expect(budget.users).toBe(1);
    for (const share of held) giveBack(share);
    expect(budget.users).toBe(0);
    expect(budget.memory).toBe(0);
  });

  it("leaves three quarters of the memory to others if one user takes all that it can", () => {
    const budget = shared({ channelsPerUser: Number.POSITIVE_INFINITY });
    const { totalMemory } = limits;
    const held: Share[] = [];
    let refused: Exceeded | undefined;
    // The connections of one user, until one more cannot open a channel.
    while (refused === undefined && held.length < 100_000) {
      const connection = new ChannelBudget({ channels: 512, memory: limits.memory }, budget, () => "eve");
      for (let share = connection.take(); ; share = connection.take()) {
        if ("reason" in share) {
          if (share.limit !== "channels") refused = share;
          break;
        }
        held.push(share);
      }
    }
    expect(refused).toEqual({ reason: "the memory for this user is in use", limit: "totalMemory" });
    expect(budget.memory).toBeLessThanOrEqual(totalMemory / 4);
    expect(budget.assignMemory("eve", clientMemory)).toBeDefined();
    const other = new ChannelBudget({ channels: 1, memory: limits.memory }, budget, () => "other");
    const share = expectShare(other.take());
    expect(share.window).toBe(2 * kib * kib);
    for (const one of [...held, share]) giveBack(one);
    expect([budget.users, budget.memory]).toEqual([0, 0]);
  });

  it("counts the output that a client may leave unread, and has room for as many clients as may connect", () => {
    const budget = shared();
    let clients = 0;
    while (budget.takeMemory(clientMemory) === undefined) clients++;
    expect(clients).toBe(limits.connections);
    expect(clientMemory).toBe(Limits.outputCeiling);
  });

  it("refuses channels once the memory of all clients is in use, and shrinks windows before that", () => {
    const budget = shared({ totalMemory: 8 * kib * kib });
    const clients = Array.from(
      { length: 20 },
      (_, index) => new ChannelBudget({ channels: 512, memory: 64 * kib * kib }, budget, () => `user ${index}`),
    );
    const windows: number[] = [];
    const refused: Exceeded[] = [];
    for (let channel = 0; channel < 10; channel++)
      for (const client of clients) {
        const share = client.take();
        if ("reason" in share) refused.push(share);
        else windows.push(share.window);
        expect(budget.memory).toBeLessThanOrEqual(8 * kib * kib);
      }
    // An eighth of the user's quarter.
    expect(windows[0]).toBe(64 * kib + 256 * kib);
    expect(windows.at(-1)).toBeLessThan(80 * kib);
    // Each client got at least one channel before any got none.
    expect(windows.length).toBeGreaterThanOrEqual(clients.length);
    expect(refused[0]).toEqual({ reason: "the memory for all clients is in use", limit: "totalMemory" });
  });
});
