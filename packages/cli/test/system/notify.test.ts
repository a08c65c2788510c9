import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { createNotifier } from "../../src/system/notify.ts";

const isMissing = ["perl", "systemd-notify"].some((program) => spawnSync(program, ["--version"]).error !== undefined);
if (isMissing)
  process.stderr.write("skipped: expected perl and systemd-notify for the messages to a service manager\n");

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** A UNIX datagram socket in the place of systemd's. */
async function manager() {
  const folder = mkdtempSync(join(tmpdir(), "postern-notify-"));
  const socket = join(folder, "notify");
  const child = spawn("perl", [join(import.meta.dirname, "datagram-receiver.pl"), socket]);
  cleanups.push(() => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true });
  });
  let text = "";
  const checks = new Set<() => void>();
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
    for (const check of checks) check();
  });
  const lines = (): string[] => text.split("\n").slice(1, -1);
  const until = (isEnough: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (!isEnough()) return;
        checks.delete(check);
        resolve();
      };
      checks.add(check);
      check();
    });
  await until(() => text.includes("listening\n"));
  return { socket, lines, until };
}

describe.skipIf(isMissing)("createNotifier with systemd-notify", () => {
  it("sends the states of a service in their order (sd_notify(3))", async () => {
    const { socket, lines, until } = await manager();
    const notifier = createNotifier({ env: { PATH: process.env.PATH, NOTIFY_SOCKET: socket } });
    notifier.ready("2 tunnels are open");
    notifier.reloading();
    notifier.ready();
    notifier.stopping();
    notifier.status("closing\nthe ports");
    await notifier.close();
    await until(() => lines().length === 4);
    const [first, reloading, third, last] = lines();
    expect(first).toBe("READY=1 STATUS=2 tunnels are open");
    expect(reloading).toMatch(/^RELOADING=1 MONOTONIC_USEC=\d+$/);
    expect(third).toBe("READY=1");
    expect(last).toBe("STOPPING=1 STATUS=closing\\u{a}the ports");
  });

  it("sends WATCHDOG=1 at half of WATCHDOG_USEC while the service is alive", async () => {
    const { socket, lines, until } = await manager();
    const env = { PATH: process.env.PATH, NOTIFY_SOCKET: socket, WATCHDOG_USEC: "100000" };
    const notifier = createNotifier({ env });
    expect(notifier.watchdogMs).toBe(50);
    let calls = 0;
    let isAlive = true;
    notifier.watch(() => {
      calls++;
      return isAlive;
    });
    await until(() => lines().length >= 3);
    isAlive = false;
    await notifier.close();
    expect(new Set(lines())).toEqual(new Set(["WATCHDOG=1"]));
    expect(calls).toBeGreaterThanOrEqual(3);
  });
});

describe("createNotifier", () => {
  it("removes the variables of the manager, so that commands do not inherit them", () => {
    const env = { PATH: "", NOTIFY_SOCKET: "/run/none", WATCHDOG_USEC: "1", WATCHDOG_PID: "1" };
    createNotifier({ env });
    expect(env).toEqual({ PATH: "" });
  });

  it("ignores the watchdog of another process (sd_watchdog_enabled(3))", () => {
    const env = { NOTIFY_SOCKET: "/run/none", WATCHDOG_USEC: "1000000" };
    expect(createNotifier({ env: { ...env, WATCHDOG_PID: "1" } }).watchdogMs).toBeUndefined();
    expect(createNotifier({ env: { ...env, WATCHDOG_PID: String(process.pid) } }).watchdogMs).toBe(500);
    expect(createNotifier({ env: { ...env, WATCHDOG_USEC: "soon" } }).watchdogMs).toBeUndefined();
  });

  it("does nothing without a service manager", async () => {
    const notifier = createNotifier({ env: { PATH: "/nowhere" } });
    expect(notifier.isEnabled).toBe(false);
    notifier.ready();
    notifier.watch(() => {
      throw new Error("not watched");
    });
    await notifier.close();
  });

  it("reports once that systemd-notify is missing, and goes on", async () => {
    const errors: string[] = [];
    const notifier = createNotifier({
      env: { PATH: "/nowhere", NOTIFY_SOCKET: "/run/none" },
      onError: ({ message }) => errors.push(message),
    });
    notifier.ready();
    notifier.stopping();
    await notifier.close();
    expect(errors).toEqual(["expected to run systemd-notify, got spawn systemd-notify ENOENT"]);
  });
});
