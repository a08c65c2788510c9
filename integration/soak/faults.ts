/** The faults of a soak, and whether each may end connections. @module */
import { setTimeout as sleep } from "node:timers/promises";
import type { Dice } from "./dice.ts";
import { occupy, type World } from "./world.ts";

export interface SoakFault {
  readonly name: string;
  /** True if connections may end. Otherwise every connection must survive the fault. */
  readonly cuts: boolean;
  /** Resolves when the cause of the fault has ended. */
  run(world: World, dice: Dice): Promise<void>;
}

export const faults: readonly SoakFault[] = [
  {
    name: "sshd: process of the connection killed",
    cuts: true,
    async run({ sshd }) {
      sshd.signal("SIGKILL", "sessions");
    },
  },
  {
    name: "sshd: killed and restarted",
    cuts: true,
    async run({ sshd, box }, dice) {
      const pause = dice.between(0, 1_000);
      await box.down();
      await sshd.kill();
      await sleep(pause);
      await sshd.restart();
      await box.up();
    },
  },
  {
    name: "sshd: stopped for a moment",
    cuts: false,
    async run({ sshd }, dice) {
      sshd.signal("SIGSTOP", "all");
      await sleep(dice.between(200, 1_500));
      sshd.signal("SIGCONT", "all");
    },
  },
  {
    name: "sshd: process of the connection stopped until it is given up",
    cuts: true,
    async run({ sshd, tunnel }) {
      const { reconnects } = tunnel.stats();
      sshd.signal("SIGSTOP", "sessions");
      await waitUntil(() => tunnel.stats().reconnects > reconnects);
      sshd.signal("SIGCONT", "sessions");
    },
  },
  ...(["both", "c2s", "s2c"] as const).map(
    (ways): SoakFault => ({
      name: `network: silent for good (${ways})`,
      cuts: true,
      async run({ box, tunnel }, dice) {
        const { reconnects } = tunnel.stats();
        box.silence(ways, "open");
        await waitUntil(() => tunnel.stats().reconnects > reconnects);
        await sleep(dice.between(0, 1_500));
        // sshd would not detect the silence: it checks only while it is idle, and visitors keep it busy.
        box.forget();
      },
    }),
  ),
  {
    name: "network: silent for a moment",
    cuts: false,
    async run({ box }, dice) {
      box.silence();
      await sleep(dice.between(200, 1_500));
      box.heal();
    },
  },
  {
    name: "network: reset",
    cuts: true,
    async run({ box }) {
      box.reset();
    },
  },
  {
    name: "network: closed",
    cuts: true,
    async run({ box }) {
      box.close();
    },
  },
  {
    name: "network: reset, and again in the midst of the next login",
    cuts: true,
    async run({ box }, dice) {
      box.cutNext({
        way: dice.pick(["c2s", "s2c"]),
        cut: dice.pick(["close", "reset"]),
        after: { bytes: dice.between(0, 2_500) },
      });
      box.reset();
      await box.reached;
    },
  },
  {
    name: "network: down for a while",
    cuts: true,
    async run({ box }, dice) {
      await box.down();
      box.reset();
      await sleep(dice.between(300, 2_000));
      await box.up();
    },
  },
  {
    name: "network: slow",
    cuts: false,
    async run({ box }, dice) {
      box.delay(dice.between(50, 700));
      await sleep(dice.between(1_000, 2_000));
      box.heal();
    },
  },
  {
    name: "network: every byte in a segment of its own",
    cuts: false,
    async run({ box }, dice) {
      box.shatter();
      await sleep(dice.between(300, 800));
      box.heal();
    },
  },
  {
    name: "target: down, its connections reset",
    cuts: true,
    async run({ targets }, dice) {
      const target = dice.pick(targets);
      target.down();
      await sleep(dice.between(100, 1_500));
      await target.up();
    },
  },
  {
    name: "port: taken by another program while the host was away",
    cuts: true,
    async run({ sshd, box, forwardings }, dice) {
      const forwarding = dice.pick(forwardings);
      const pause = dice.between(0, 1_000);
      await box.down();
      await sshd.kill();
      const leave = await occupy(forwarding.port ?? 0);
      await sshd.restart();
      await box.up();
      await waitUntil(() => forwarding.state === "pending" && forwarding.reason?.code === "refused");
      await sleep(pause);
      leave();
    },
  },
  {
    name: "machine: asleep for a moment",
    cuts: false,
    async run(_world, dice) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, dice.between(500, 1_200));
    },
  },
];

/** Waits for a condition. @throws Error after a minute */
async function waitUntil(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`expected ${condition.toString()} within a minute`);
    await sleep(20);
  }
}
