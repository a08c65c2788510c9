import { afterEach, describe, expect, it } from "vitest";
import { createNotifier } from "../../src/system/notify.ts";
import { lacksManager, startManager } from "./service-manager.ts";

const isMissing = lacksManager();
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

describe.skipIf(isMissing)("createNotifier with systemd-notify", () => {
  it("sends the states of a service in their order (sd_notify(3))", async () => {
    const { socket, lines, until } = await startManager((cleanup) => cleanups.push(cleanup));
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
    const { socket, lines, until } = await startManager((cleanup) => cleanups.push(cleanup));
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
